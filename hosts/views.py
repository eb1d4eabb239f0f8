"""Pages of tasks and artifacts."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from debatomic.access.checks import may, require
from debatomic.gates import PageRequest, SignedInRequest, acting, reading
from debatomic.paging import page_of
from debatomic.templatetags import pages
from debatomic.tools.errors import ToolError
from hosts import hub
from hosts.choosing import refusals
from hosts.downloads import download
from hosts.filters import ArtifactFilter, TaskFilter
from hosts.models import Artifact, Log, Task
from hosts.why import why_waiting

# Tasks


@require_safe
@reading("tasks.view", public=True)
def task_list(request: PageRequest) -> HttpResponse:
    visible = Task.objects.visible_to(request.user).for_lists()
    filtered = TaskFilter(request.GET, queryset=visible)  # type: ignore[no-untyped-call]
    page = page_of(filtered.qs, request.GET)
    template = "hosts/_tasks.html" if request.htmx else "hosts/task_list.html"
    return render(request, template, {"filter": filtered, "page": page, "tasks": page.rows})


@require_safe
@reading(public=True)
def task_row(request: PageRequest, pk: int) -> HttpResponse:
    """One row of the list, for its live refresh."""
    return render(request, "hosts/_task_row.html", {"task": _task(request, pk)})


@require_safe
@reading(public=True)
def task_detail(request: PageRequest, pk: int) -> HttpResponse:
    task = _task(request, pk)
    logs = list(task.logs.order_by("-attempt", "pk"))
    waits = task.state == "free" and not task.is_parent
    if request.htmx.target == "log-card":
        return render(request, "hosts/_log_card.html", {"log_task": task, "log": next(iter(logs), None), "logs": logs})
    context = {
        "task": task,
        **_details(task),
        "children": list(task.children.for_lists().order_by("pk")),
        "dependencies": list(task.dependencies.order_by("pk")),
        "attempts": list(task.attempt_history.select_related("host").order_by("-number")),
        "artifacts": list(task.artifacts.order_by("kind", "name")),
        "logs": logs,
        "log_task": task,
        "log": next(iter(logs), None),
        "why": why_waiting(task) if waits else "",
        "refusals": refusals(task) if waits and may(request.user, "hosts.view") else [],
    }
    return render(request, "hosts/_task.html" if request.htmx else "hosts/task.html", context)


def _details(task: Task) -> dict[str, Any]:
    """What was asked and what came out, as text for people."""
    return {
        "limits": [(name.replace("_", " "), _limit(name, value)) for name, value in task.limits.items()],
        "request_text": json.dumps(task.request, indent=2, ensure_ascii=False),
        "result_text": json.dumps(task.result, indent=2, ensure_ascii=False),
    }


def _limit(name: str, value: float) -> str:
    if name == "processors":
        return f"{value:g}"
    return pages.duration(value) if name.endswith("_limit") else pages.size(value)


def _task(request: PageRequest, pk: int) -> Task:
    return get_object_or_404(Task.objects.visible_to(request.user).for_lists(), pk=pk)


@require_safe
@reading(public=True)
def task_log(request: PageRequest, pk: int, attempt: int, name: str) -> HttpResponse:
    """One log alone, over the whole page."""
    task = _task(request, pk)
    log = get_object_or_404(Log, task=task, attempt=attempt, name=name)
    return render(request, "hosts/task_log.html", {"task": task, "log": log, "logs": list(task.logs.all())})


@require_POST
@acting()
def task_cancel(request: SignedInRequest, pk: int) -> HttpResponse:
    task = _task(request, pk)
    require(task.can_cancel(request.user) or not task.is_live)
    if hub.cancel(task, by=request.user):
        messages.success(request, f"{task} is being canceled.")
    else:
        messages.warning(request, f"{task} had ended already.")
    return redirect(task)


@require_POST
@acting()
def task_retry(request: SignedInRequest, pk: int) -> HttpResponse:
    task = _task(request, pk)
    require(task.can_retry(request.user))
    try:
        hub.retry(task, by=request.user)
        messages.success(request, f"{task} runs again.")
    except ToolError as error:
        messages.error(request, error.sentence)
    return redirect(task)


# Artifacts


@require_safe
@reading("artifacts.view", public=True)
def artifact_list(request: PageRequest) -> HttpResponse:
    visible = Artifact.objects.visible_to(request.user).select_related("task")
    filtered = ArtifactFilter(request.GET, queryset=visible)  # type: ignore[no-untyped-call]
    page = page_of(filtered.qs, request.GET)
    return render(request, "hosts/artifact_list.html", {"filter": filtered, "page": page, "artifacts": page.rows})


@require_safe
@reading(public=True)
def artifact_download(request: PageRequest, pk: int, name: str) -> HttpResponseBase:
    artifact = get_object_or_404(Artifact.objects.visible_to(request.user), pk=pk, name=name)
    return download(request, artifact)
