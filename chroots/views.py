"""Pages of chroots to read: the list, one with its copies, packages, refreshes, their differences and what used it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from chroots import definition, manifests
from chroots.filters import ChrootFilter, RefreshFilter, UseFilter
from chroots.models import Chroot, ChrootUse, Refresh
from debatomic.access.checks import may
from debatomic.gates import PageRequest, reading
from debatomic.paging import page_of, slice_of
from debatomic.tools.errors import ToolError

SHOWN = 10  # rows of each part


def found(request: PageRequest, name: str) -> Chroot:
    """The chroot of this name, if they may know of it. Raises Http404."""
    return get_object_or_404(Chroot.objects.visible_to(request.user), name=name)


@require_safe
@reading("chroots.view", public=True)
def chroot_list(request: PageRequest) -> HttpResponse:
    visible = Chroot.objects.visible_to(request.user).prefetch_related("copies__host", "targets")
    filtered = ChrootFilter(request.GET, queryset=visible)  # type: ignore[no-untyped-call]
    page = page_of(filtered.qs, request.GET)
    return render(request, "chroots/chroot_list.html", {"filter": filtered, "page": page, "chroots": page.rows})


@require_safe
@reading(public=True)
def chroot_detail(request: PageRequest, name: str) -> HttpResponse:
    chroot = found(request, name)
    refreshes = list(chroot.refreshes.for_lists()[:SHOWN])
    context = {
        "chroot": chroot,
        "copies": list(chroot.copies.select_related("host", "task").order_by("host__name")),
        "targets": list(chroot.targets.order_by("name")),
        "refreshes": refreshes,
        "listed": next((one for one in refreshes if one.manifest), None),
        "uses": list(_uses(request, chroot)[:SHOWN]),
        **_configuration(request, chroot),
    }
    return render(request, "chroots/_chroot.html" if request.htmx else "chroots/chroot.html", context)


def _configuration(request: PageRequest, chroot: Chroot) -> dict[str, Any]:
    """What its definition comes to; or why it cannot be read any more, after an upgrade."""
    if not may(request.user, "chroots.view"):
        return {}
    try:
        return {"settings": definition.resolved(chroot.name, chroot.definition)}
    except ToolError as error:
        return {"unreadable": error.sentence}


def _uses(request: PageRequest, chroot: Chroot) -> QuerySet[ChrootUse]:
    visible: QuerySet[ChrootUse] = chroot.uses.visible_to(request.user).for_lists()
    return visible


@require_safe
@reading(public=True)
def chroot_uses(request: PageRequest, name: str) -> HttpResponse:
    """The builds that ran in it, newest first."""
    chroot = found(request, name)
    filtered = UseFilter(request.GET, queryset=_uses(request, chroot))  # type: ignore[no-untyped-call]
    page = page_of(filtered.qs, request.GET)
    return render(request, "chroots/uses.html", {"chroot": chroot, "filter": filtered, "page": page, "uses": page.rows})


@require_safe
@reading(public=True)
def chroot_refreshes(request: PageRequest, name: str) -> HttpResponse:
    chroot = found(request, name)
    filtered = RefreshFilter(request.GET, queryset=chroot.refreshes.for_lists())  # type: ignore[no-untyped-call]
    page = page_of(filtered.qs, request.GET)
    context = {"chroot": chroot, "filter": filtered, "page": page, "refreshes": page.rows}
    return render(request, "chroots/refreshes.html", context)


@require_safe
@reading(public=True)
def chroot_packages(request: PageRequest, name: str) -> HttpResponse:
    """The packages a refresh left it with, by their names; the newest one unless `?refresh=` says which."""
    chroot = found(request, name)
    refresh = _refresh(chroot, request.GET.get("refresh", ""))
    text = request.GET.get("q", "")
    context: dict[str, Any] = {"chroot": chroot, "refresh": refresh, "text": text}
    if refresh:
        try:
            fitting = manifests.search(manifests.packages(refresh.manifest), text)
            context["page"] = slice_of(fitting, request.GET)
        except ToolError as error:
            context["gone"] = error.sentence
    return render(request, "chroots/packages.html", context)


def _refresh(chroot: Chroot, asked: str) -> Refresh | None:
    """The refresh of this number, or the newest; none where it has no list of packages."""
    listed = chroot.refreshes.listed().for_lists()
    if asked.isascii() and asked.isdigit() and len(asked) < 19:
        return get_object_or_404(listed, pk=int(asked))
    newest: Refresh | None = listed.first()
    return newest


def _before(chroot: Chroot, after: Refresh | None) -> Refresh:
    """The one before on the same host. Raises Http404 where there is none."""
    listed = chroot.refreshes.listed().for_lists()
    earlier = listed.filter(pk__lt=after.pk, task__host=after.task.host_id).first() if after else None
    if earlier is None:
        raise Http404
    return earlier


@require_safe
@reading(public=True)
def chroot_difference(request: PageRequest, name: str) -> HttpResponse:
    """What came, went and was upgraded between any two refreshes: `?from=<number>&to=<number>`.

    Without `from`: since the one before on the same host.
    """
    chroot = found(request, name)
    after = _refresh(chroot, request.GET.get("to") or "0")
    before = _refresh(chroot, request.GET["from"] or "0") if "from" in request.GET else _before(chroot, after)
    context: dict[str, Any] = {"chroot": chroot, "before": before, "after": after}
    if before and after:
        try:
            rows = manifests.rows(manifests.difference(before.manifest, after.manifest))
            context["page"] = slice_of(rows, request.GET)
        except ToolError as error:
            context["gone"] = error.sentence
    return render(request, "chroots/difference.html", context)
