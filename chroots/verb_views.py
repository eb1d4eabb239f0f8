"""Pages that change chroots: make, edit, switch, delete, refresh; scrub and clean their copies on hosts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from chroots import editing, forms, upkeep
from chroots.forms import ChrootForm
from chroots.models import Chroot
from chroots.views import found
from debatomic.access.checks import may, require
from debatomic.gates import SignedInRequest, acting
from debatomic.tools.errors import ToolError
from hosts.models import Host, Task


@require_http_methods(["GET", "HEAD", "POST"])
@acting("chroots.edit")
def chroot_new(request: SignedInRequest) -> HttpResponse:
    posted = request.method == "POST"
    form = ChrootForm(request.POST) if posted else ChrootForm(initial=_like(request))
    if posted and form.is_valid() and (chroot := form.submit(by=request.user)):
        messages.success(request, f"{chroot} is made. Its base comes with the first build or refresh.")
        return redirect(chroot)
    return render(request, "chroots/chroot_new.html", {"form": form}, status=422 if form.errors else 200)


def _like(request: SignedInRequest) -> dict[str, Any]:
    """What the form begins with: another chroot's values where `?like=` names one."""
    other = Chroot.objects.filter(name=request.GET.get("like", "")).first()
    return forms.like(other) if other else {}


@require_http_methods(["GET", "HEAD", "POST"])
@acting()
def chroot_edit(request: SignedInRequest, name: str) -> HttpResponse:
    chroot = found(request, name)
    require(chroot.can_edit(request.user))
    form = forms.edit_form(chroot, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and forms.save(form, chroot, by=request.user):
        messages.success(request, f"{chroot} is changed. Its base follows with the next refresh or build.")
        return redirect(chroot)
    context = {"form": form, "chroot": chroot}
    return render(request, "chroots/chroot_edit.html", context, status=422 if form.errors else 200)


@require_POST
@acting()
def chroot_enable(request: SignedInRequest, name: str) -> HttpResponse:
    return _switch(request, name, enabled=True)


@require_POST
@acting()
def chroot_disable(request: SignedInRequest, name: str) -> HttpResponse:
    return _switch(request, name, enabled=False)


def _switch(request: SignedInRequest, name: str, *, enabled: bool) -> HttpResponse:
    chroot = found(request, name)
    require(chroot.can_edit(request.user))
    editing.change(chroot, enabled=enabled, by=request.user)
    done = "builds are made in it again" if enabled else "no more builds are submitted for it; what waits goes on"
    messages.success(request, f"{chroot}: {done}.")
    return redirect(chroot)


@require_http_methods(["GET", "HEAD", "POST"])
@acting()
def chroot_delete(request: SignedInRequest, name: str) -> HttpResponse:
    """Asks first, and says what will be gone or why it cannot be."""
    chroot = found(request, name)
    require(chroot.can_edit(request.user))
    if request.method == "POST":
        try:
            hosts = editing.delete(chroot, by=request.user)
        except ToolError as error:
            messages.error(request, error.sentence)
            return redirect(chroot)
        removing = f" {hosts} host{' removes its copy' if hosts == 1 else 's remove their copies'}." if hosts else ""
        messages.success(request, f"{name} is deleted.{removing}")
        return redirect("chroot-list")
    context = {"chroot": chroot, "reason": chroot.why_needed(), "copies": list(chroot.copies.select_related("host"))}
    return render(request, "chroots/chroot_delete.html", context)


@require_POST
@acting()
def chroot_refresh(request: SignedInRequest, name: str) -> HttpResponse:
    chroot = found(request, name)
    require(may(request.user, "chroots.refresh"))
    try:
        task = chroot.refresh(by=request.user)
    except ToolError as error:
        messages.error(request, error.sentence)
        return redirect(chroot)
    messages.success(request, f"{chroot} is being refreshed.")
    return redirect(task)


@require_POST
@acting()
def chroot_scrub(request: SignedInRequest, name: str) -> HttpResponse:
    return _on_host(request, name, upkeep.scrub, "chroots.refresh")


@require_POST
@acting()
def chroot_clean(request: SignedInRequest, name: str) -> HttpResponse:
    return _on_host(request, name, upkeep.clean, "chroots.edit")


def _on_host(request: SignedInRequest, name: str, verb: Callable[..., Task], right: str) -> HttpResponse:
    chroot = found(request, name)
    require(may(request.user, right))
    host = get_object_or_404(Host.objects.visible_to(request.user), name=request.POST.get("host", ""))
    try:
        return redirect(verb(chroot, host, by=request.user))
    except ToolError as error:
        messages.error(request, error.sentence)
        return redirect(chroot)
