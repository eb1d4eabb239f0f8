"""Pages of trials: the form, and what came of one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from chroots.trying.form import TrialForm
from chroots.trying.running import DIFFERENCE
from chroots.trying.submitting import GIVEN, TRY
from chroots.views import found
from debatomic.access.checks import require
from debatomic.gates import PageRequest, SignedInRequest, acting, reading
from debatomic.paging import slice_of
from hosts.kept import store
from hosts.models import Artifact, Task

LARGEST_SHOWN = 16 << 20  # bytes of a difference
PARTS = {"trial": "chroots/_trial.html", "log-card": "hosts/_log_card.html"}  # what htmx asks for again by itself


@require_http_methods(["GET", "HEAD", "POST"])
@acting()
def chroot_try(request: SignedInRequest, name: str) -> HttpResponse:
    chroot = found(request, name)
    require(chroot.can_try(request.user))
    posted = request.method == "POST"
    form = TrialForm(request.POST, request.FILES, by=request.user) if posted else TrialForm(by=request.user)
    if posted and form.is_valid() and (task := form.submit(chroot, by=request.user)):
        messages.success(request, "It is tried as soon as a host is free.")
        return redirect("chroot-trial", chroot.name, task.pk)
    context = {"form": form, "chroot": chroot}
    return render(request, "chroots/try.html", context, status=422 if form.errors else 200)


@require_safe
@reading(public=True)
def trial(request: PageRequest, name: str, pk: int) -> HttpResponse:
    chroot = found(request, name)
    visible = Task.objects.visible_to(request.user).for_lists().filter(method=TRY, chroot_use__chroot=chroot)
    task = get_object_or_404(visible, pk=pk)
    log = task.logs.order_by("-attempt", "pk").first()
    if request.htmx.target == "log-card":
        return render(request, PARTS["log-card"], {"log_task": task, "log": log})
    artifacts = list(task.artifacts.order_by("kind", "name"))
    context = {
        "chroot": chroot, "task": task, "log_task": task, "log": log, "asked": task.request,
        "given": [one for one in artifacts if one.name.startswith(GIVEN)],
        "made": [one for one in artifacts if not one.name.startswith(GIVEN)],
        "left_out": [path for file in task.result.get("files", ()) for path in file["left_out"]],
        **_difference(request, artifacts),
    }  # fmt: skip
    return render(request, PARTS.get(request.htmx.target or "", "chroots/trial.html"), context)


@dataclass(frozen=True)
class Change:
    """A line of a difference: a path, or a package with its versions."""

    what: str  # added, changed, removed, upgraded
    name: str
    versions: str = ""


def _difference(request: PageRequest, artifacts: list[Artifact]) -> dict[str, Any]:
    kept = next((one for one in artifacts if one.name == DIFFERENCE), None)
    if kept is None or kept.size > LARGEST_SHOWN:
        return {"too_long": kept}
    try:
        changes, untold = _changes(kept.sha256)
    except (FileNotFoundError, ValueError):
        return {"gone": kept}
    return {"page": slice_of(changes, request.GET), "untold": untold}


@lru_cache(maxsize=8)
def _changes(sha256: str) -> tuple[list[Change], int]:
    """Packages first, then files by path; and how many files are not told."""
    with store.open(sha256) as file:
        told = json.load(file)
    packages = told["packages"]
    changes = [
        *(Change("upgraded", name, " → ".join(versions)) for name, versions in sorted(packages["upgraded"].items())),
        *(Change("added", name, version) for name, version in sorted(packages["added"].items())),
        *(Change("removed", name, version) for name, version in sorted(packages["removed"].items())),
    ]
    paths = sorted((path, what) for what in ("added", "changed", "removed") for path in told[what])
    return [*changes, *(Change(what, path) for path, what in paths)], told["untold"]
