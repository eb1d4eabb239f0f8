"""Pages of builds."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from builds.filters import BuildFilter
from builds.forms import BuildForm, told
from builds.models import Build
from builds.quality.check_views import with_reports
from debatomic.access.checks import may, require
from debatomic.gates import PageRequest, SignedInRequest, acting, reading
from debatomic.paging import page_of
from debatomic.tools.errors import InputError
from hosts.live.telling import first_failed, most_telling, with_waits
from hosts.models import State
from hosts.pages.wish_form import WishForm

# what htmx asks for again by itself: the ids of parts of the page
PARTS = {"build": "builds/_build.html", "about": "builds/_about.html", "log-card": "hosts/_log_card.html"}


@require_safe
@reading("builds.view", public=True)
def build_list(request: PageRequest) -> HttpResponse:
    visible = Build.objects.visible_to(request.user).for_rows()
    filtered = BuildFilter(request.GET, queryset=visible)  # type: ignore[no-untyped-call]
    page = page_of(filtered.qs, request.GET)
    template = "builds/_builds.html" if request.htmx else "builds/build_list.html"
    return render(request, template, {"filter": filtered, "page": page, "builds": page.rows})


@require_safe
@reading(public=True)
def build_row(request: PageRequest, pk: int) -> HttpResponse:
    """One row of the list, for its live refresh."""
    build = get_object_or_404(Build.objects.visible_to(request.user).for_lists(), pk=pk)
    return render(request, "builds/_build_rows.html", {"builds": [build]})


@require_safe
@reading(public=True)
def build_detail(request: PageRequest, pk: int) -> HttpResponse:
    build = get_object_or_404(Build.objects.visible_to(request.user).for_lists().select_related("chained"), pk=pk)
    tasks = list(build.task.children.select_related("host").order_by("pk"))
    shown = most_telling(tasks, request.GET.get("log", ""))
    context = {
        "build": build,
        "tasks": tasks,
        "rows": with_waits(tasks),
        "failed": first_failed(tasks) if build.task.state == State.FAILED else None,
        "artifacts": list(build.artifacts),
        "comparison": build.comparison,
        "checks": with_reports(build.checks.all()),
        "log_task": shown,
        "log": shown and shown.logs.order_by("-attempt", "pk").first(),
    }
    return render(request, PARTS.get(request.htmx.target or "", "builds/build.html"), context)


@require_http_methods(["GET", "HEAD", "POST"])
@acting("builds.submit")
def build_new(request: SignedInRequest) -> HttpResponse:
    posted = request.method == "POST"
    form = BuildForm(request.POST, request.FILES) if posted else BuildForm(initial=request.GET.dict())
    if posted and form.is_valid() and (build := form.submit(by=request.user)):
        messages.success(request, f"{build} is submitted.")
        return redirect(build)
    return render(request, "builds/build_new.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@acting()
def build_resubmit(request: SignedInRequest, pk: int) -> HttpResponse:
    """The same files as another build, with another priority, channel or limits."""
    build = get_object_or_404(Build.objects.visible_to(request.user).for_lists(), pk=pk)
    require(build.can_resubmit(request.user))
    form = WishForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            made = build.resubmit(by=request.user, wishes=form.wishes)
            messages.success(request, f"{made} is submitted.")
            return redirect(made)
        except InputError as error:
            form.add_error(error.field if error.field in form.fields else None, told(error))
    context = {"form": form, "ended": build, "title": "Build the same files again"}
    return render(request, "hosts/resubmit.html", context, status=422 if form.errors else 200)


@require_POST
@acting()
def build_cancel(request: SignedInRequest, pk: int) -> HttpResponse:
    build = get_object_or_404(Build.objects.visible_to(request.user), pk=pk)
    if not build.is_live:
        messages.warning(request, f"{build} had ended already.")
        return redirect(build)
    require(build.can_cancel(request.user))
    build.cancel(by=request.user)
    messages.success(request, f"{build} is being canceled.")
    return redirect(build)


@require_POST
@acting()
def build_retry(request: SignedInRequest, pk: int) -> HttpResponse:
    build = get_object_or_404(Build.objects.visible_to(request.user), pk=pk)
    require(build.can_retry(request.user), "Only failed and canceled builds can be retried, by whoever may.")
    try:
        build.retry(by=request.user)
        messages.success(request, f"{build} runs again.")
    except InputError as error:
        messages.error(request, error.sentence)
    return redirect(build)


@require_POST
@acting()
def build_compare(request: SignedInRequest, pk: int) -> HttpResponse:
    build = get_object_or_404(Build.objects.visible_to(request.user), pk=pk)
    require(may(request.user, "builds.compare"))
    if not build.can_be_compared:
        messages.warning(request, f"{build} is not completed, or is being compared already.")
        return redirect(build)
    try:
        build.compare(by=request.user)
        messages.success(request, f"{build} is being compared with the archive.")
    except InputError as error:
        messages.error(request, error.sentence)
    return redirect(build)
