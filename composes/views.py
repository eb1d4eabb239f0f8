"""Pages of composes."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from builds import keys
from composes.comparing.comparison import locks_of
from composes.containers import containers
from composes.delivered import groups, known_vulnerabilities
from composes.filters import ComposeFilter
from composes.forms import ComposeForm
from composes.gates import verdicts
from composes.models import Compose
from composes.phases import bars
from composes.proofs import proofs, upgrades
from debatomic.access.checks import require
from debatomic.gates import PageRequest, SignedInRequest, acting, reading
from debatomic.paging import page_of
from debatomic.tools.errors import InputError
from hosts.live.telling import first_failed, most_telling, with_waits
from hosts.models import Artifact, State

# what htmx asks for again by itself: the ids of parts of the page
PARTS = {"compose": "composes/_compose.html", "about": "composes/_about.html", "log-card": "hosts/_log_card.html"}


@require_safe
@reading("composes.view", public=True)
def compose_list(request: PageRequest) -> HttpResponse:
    visible = Compose.objects.visible_to(request.user).for_rows()
    filtered = ComposeFilter(request.GET, queryset=visible)  # type: ignore[no-untyped-call]
    page = page_of(filtered.qs, request.GET)
    template = "composes/_composes.html" if request.htmx else "composes/compose_list.html"
    return render(request, template, {"filter": filtered, "page": page, "composes": page.rows})


@require_safe
@reading(public=True)
def compose_row(request: PageRequest, pk: int) -> HttpResponse:
    """One row of the list, for its live refresh."""
    return render(request, "composes/_compose_rows.html", {"composes": [_compose(request, pk)]})


@require_safe
@reading(public=True)
def compose_detail(request: PageRequest, pk: int) -> HttpResponse:
    compose = _compose(request, pk)
    tasks = list(compose.task.children.for_lists().order_by("pk"))
    artifacts = list(compose.artifacts)
    deliverables = list(compose.deliverables.select_related("artifact"))
    shown = most_telling(tasks, request.GET.get("log", ""))
    context = {
        "compose": compose,
        "tasks": tasks,
        "rows": with_waits(tasks),
        "failed": first_failed(tasks) if compose.task.state == State.FAILED else None,
        "bars": bars(tasks),
        "made": [task for task in tasks if task.result.get("commit") and task.method == "compose-arch"],
        "published": any(task.method == "publish" and task.state == State.COMPLETED for task in tasks),
        "has_lock": any(artifact.name == "lock.json" for artifact in artifacts),
        "proofs": proofs(tasks, artifacts),
        "containers": containers(tasks),
        "groups": groups([each for each in artifacts if each.kind != Artifact.Kind.LOG], deliverables),
        "vulnerabilities": known_vulnerabilities(deliverables),
        "registry": request.get_host(),
        "upgrades": upgrades(tasks, artifacts),
        "gates": verdicts(tasks, overridden=bool(compose.overridden)),
        "log_task": shown,
        "log": shown and shown.logs.order_by("-attempt", "pk").first(),
        "moves": list(compose.moves.done().select_related("channel").order_by("pk")),
        "keys": keys.fingerprints(),
        "keys_address": request.build_absolute_uri(f"/ostree/{keys.NAME}"),
        "repository": request.build_absolute_uri("/ostree/repo"),
    }
    return render(request, PARTS.get(request.htmx.target or "", "composes/compose.html"), context)


def _compose(request: PageRequest, pk: int) -> Compose:
    return get_object_or_404(Compose.objects.visible_to(request.user).for_lists(), pk=pk)


@require_safe
@reading(public=True)
def compose_packages(request: PageRequest, pk: int) -> HttpResponse:
    """The packages of a compose, by its lock; `?q=` keeps those whose name or source has this text."""
    compose = _compose(request, pk)
    text = request.GET.get("q", "").strip().lower()
    packages = [package for lock in locks_of(compose).values() for package in lock.packages]
    found = [each for each in packages if text in each.name or text in each.source]
    context = {"compose": compose, "packages": found, "total": len(packages), "text": text}
    return render(request, "composes/compose_packages.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@acting("composes.submit")
def compose_new(request: SignedInRequest) -> HttpResponse:
    posted = request.method == "POST"
    form = ComposeForm(request.POST) if posted else ComposeForm(initial=request.GET.dict())
    if posted and form.is_valid() and (compose := form.submit(by=request.user)):
        messages.success(request, f"{compose} is submitted.")
        return redirect(compose)
    context = {"form": form, "something": any(True for _ in form.fields["what"].widget.choices)}
    return render(request, "composes/compose_new.html", context, status=422 if form.errors else 200)


@require_POST
@acting()
def compose_cancel(request: SignedInRequest, pk: int) -> HttpResponse:
    compose = _compose(request, pk)
    if not compose.is_live:
        messages.warning(request, f"{compose} had ended already.")
        return redirect(compose)
    require(compose.can_cancel(request.user))
    compose.cancel(by=request.user)
    messages.success(request, f"{compose} is being canceled.")
    return redirect(compose)


@require_POST
@acting()
def compose_retry(request: SignedInRequest, pk: int) -> HttpResponse:
    compose = _compose(request, pk)
    require(compose.can_retry(request.user), "Only doomed and terminated composes can be retried, by whoever may.")
    try:
        compose.retry(by=request.user)
        messages.success(request, f"{compose} runs again; what was done is reused.")
    except InputError as error:
        messages.error(request, error.sentence)
    return redirect(compose)


@require_POST
@acting()
def compose_override(request: SignedInRequest, pk: int) -> HttpResponse:
    compose = _compose(request, pk)
    require(compose.can_override(request.user), "Only gates that hold a compose back are overridden, by whoever may.")
    try:
        compose.override(by=request.user, reason=request.POST.get("reason", ""))
        messages.success(request, f"{compose} is being published although gates block it; your reason is written down.")
    except InputError as error:
        messages.error(request, error.sentence)
    return redirect(compose)
