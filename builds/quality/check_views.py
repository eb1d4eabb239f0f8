"""Pages of checks: their list, their verbs, and the policy of a target."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib import messages
from django.db.models import prefetch_related_objects
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from builds import models
from builds.quality import gates, policies
from builds.quality.check_filters import CheckFilter
from builds.quality.check_forms import PolicyForm
from builds.quality.check_models import CheckResult
from debatomic.access.checks import readable, require
from debatomic.gates import PageRequest, SignedInRequest, acting, reading
from debatomic.paging import page_of
from debatomic.tools.errors import InputError


def with_reports(results: Iterable[CheckResult]) -> list[CheckResult]:
    """The same, with what their tasks kept: three queries however many."""
    found = list(results)
    prefetch_related_objects(found, "task__artifacts", "overridden_by")
    return found


@require_safe
@reading("builds.view", public=True)
def check_list(request: PageRequest) -> HttpResponse:
    visible = CheckResult.objects.visible_to(request.user).for_rows()
    filtered = CheckFilter(request.GET, queryset=visible)  # type: ignore[no-untyped-call]
    page = page_of(filtered.qs, request.GET)
    return render(request, "builds/quality/check_list.html", {"filter": filtered, "page": page, "checks": page.rows})


@require_POST
@acting()
def check_retry(request: SignedInRequest, pk: int) -> HttpResponse:
    result = get_object_or_404(CheckResult.objects.visible_to(request.user).for_rows(), pk=pk)
    require(result.can_retry(request.user), "Only checks that ended can be tried again, by whoever may.")
    try:
        gates.retry(result, by=request.user)
        messages.success(request, f"{result.title} runs again.")
    except InputError as error:
        messages.error(request, error.sentence)
    return redirect(result)


@require_POST
@acting()
def check_override(request: SignedInRequest, pk: int) -> HttpResponse:
    result = get_object_or_404(CheckResult.objects.visible_to(request.user).for_rows(), pk=pk)
    require(result.can_override(request.user), "Only a check that blocks a build is overridden, by whoever may.")
    try:
        gates.override(result, by=request.user, reason=request.POST.get("reason", ""))
        _tell(request, result)
    except InputError as error:
        messages.error(request, error.sentence)
    return redirect(result)


def _tell(request: SignedInRequest, result: CheckResult) -> None:
    """What overriding it came to: in the tag, or what is still missing."""
    build = models.Build.objects.select_related("target__tag", "task").get(pk=result.build_id)
    said = f"{result.title} does not block {build} any more."
    if why := gates.missing(build):
        messages.warning(request, f"{said} It is not in {build.target.tag} yet: {why}")
    else:
        messages.success(request, f"{said} It is in {build.target.tag}.")


@require_safe
@reading(public=True)
def target_checks(request: PageRequest, name: str) -> HttpResponse:
    """Which checks builds for a target get."""
    target = get_object_or_404(readable(models.Target.objects.all(), request.user, "builds.view"), name=name)
    return _shown(request, target, PolicyForm(target=target))


@require_POST
@acting("targets.edit")
def target_checks_set(request: SignedInRequest, name: str) -> HttpResponse:
    """All of them at once."""
    target = get_object_or_404(models.Target, name=name)
    form = PolicyForm(request.POST, target=target)
    if not form.is_valid():
        return _shown(request, target, form)
    policies.set_policy(target, form.levels, by=request.user)
    messages.success(request, f"Builds for {target} that end from now on are checked so.")
    return redirect("target-checks", name=target.name)


def _shown(request: PageRequest, target: models.Target, form: PolicyForm) -> HttpResponse:
    context = {"form": form, "target": target, "policies": target.policies.all()}
    return render(request, "builds/quality/target_checks.html", context, status=422 if form.errors else 200)
