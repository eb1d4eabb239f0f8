"""Pages of chroots."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from chroots.models import Chroot
from debatomic.access.checks import may, require
from debatomic.gates import PageRequest, SignedInRequest, acting, reading
from debatomic.tools.errors import ToolError
from hosts.models import Task


@require_safe
@reading("chroots.view", public=True)
def chroot_list(request: PageRequest) -> HttpResponse:
    chroots = Chroot.objects.visible_to(request.user).prefetch_related("copies__host", "targets")
    return render(request, "chroots/chroot_list.html", {"chroots": chroots})


@require_safe
@reading(public=True)
def chroot_detail(request: PageRequest, name: str) -> HttpResponse:
    chroot = get_object_or_404(Chroot.objects.visible_to(request.user), name=name)
    inits = Task.objects.visible_to(request.user).for_lists().filter(method="chroot-init", request__chroot=chroot.name)
    context = {
        "chroot": chroot,
        "copies": list(chroot.copies.select_related("host", "task").order_by("host__name")),
        "targets": list(chroot.targets.order_by("name")),
        "tasks": list(inits[:10]),
    }
    return render(request, "chroots/_chroot.html" if request.htmx else "chroots/chroot.html", context)


@require_POST
@acting()
def chroot_refresh(request: SignedInRequest, name: str) -> HttpResponse:
    chroot = get_object_or_404(Chroot.objects.visible_to(request.user), name=name)
    require(may(request.user, "chroots.refresh"))
    try:
        task = chroot.refresh(by=request.user)
    except ToolError as error:
        messages.error(request, error.sentence)
        return redirect(chroot)
    messages.success(request, f"{chroot} is being refreshed.")
    return redirect(task)
