"""Pages of submitting: many builds at once, and what a target demands."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods

from builds.models import Build, Target
from builds.submitting.git_forms import GitForm
from builds.submitting.many_forms import ManyForm
from builds.submitting.rebuild_forms import RebuildForm
from builds.submitting.target_forms import TargetForm
from debatomic.access.checks import require
from debatomic.gates import SignedInRequest, acting


@require_http_methods(["GET", "HEAD", "POST"])
@acting("builds.submit")
def build_many(request: SignedInRequest) -> HttpResponse:
    """The list is looked at first; `submit` in what is posted submits it, `although` also where some are refused."""
    posted = request.method == "POST"
    form = ManyForm(request.POST if posted else None, initial=request.GET.dict())
    outcome = None
    if posted and form.is_valid():
        although = request.POST.get("submit") == "although"
        outcome = form.outcome(by=request.user, submit="submit" in request.POST, although=although)
    if outcome and outcome.builds:
        left = f"; {len(outcome.refused)} were refused" if outcome.refused else ""
        messages.success(request, f"{len(outcome.builds)} builds are submitted{left}.")
        return redirect(f"{reverse('build-list')}?{urlencode({'submitter': request.user.username, 'state': 'live'})}")
    context = {"form": form, "outcome": outcome}
    return render(request, "builds/build_many.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@acting("targets.edit")
def target_edit(request: SignedInRequest, name: str) -> HttpResponse:
    """What a target demands of what is submitted for it."""
    target = get_object_or_404(Target.objects.select_related("tag"), name=name)
    form = TargetForm(request.POST if request.method == "POST" else None, instance=target)
    if request.method == "POST" and form.is_valid() and form.demand(by=request.user):
        messages.success(request, f"Target {name} is changed.")
        return redirect("target-edit", name)
    context = {"target": target, "form": form}
    return render(request, "builds/target_edit.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@acting("builds.submit")
def build_git(request: SignedInRequest) -> HttpResponse:
    """A commit is packed by a task first; its build follows."""
    posted = request.method == "POST"
    form = GitForm(request.POST if posted else None, initial=request.GET.dict())
    if posted and form.is_valid() and (task := form.submit(by=request.user)):
        messages.success(request, "A host makes the source package; its build follows.")
        return redirect(task)
    return render(request, "builds/build_git.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@acting()
def build_rebuild(request: SignedInRequest, pk: int) -> HttpResponse:
    """The same source, its packages with a version of their own."""
    build = get_object_or_404(Build.objects.visible_to(request.user).for_lists(), pk=pk)
    require(build.can_rebuild(request.user), "Only completed builds that are no scratch builds can be rebuilt.")
    form = RebuildForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid() and (made := form.rebuild(build, by=request.user)):
        messages.success(request, f"{made} is submitted.")
        return redirect(made)
    context = {"form": form, "ended": build, "title": "Rebuild its packages (binNMU)"}
    return render(request, "hosts/resubmit.html", context, status=422 if form.errors else 200)
