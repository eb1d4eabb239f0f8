"""Pages of tasks and artifacts."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from debatomic.access.checks import may, require
from debatomic.gates import PageRequest, SignedInRequest, acting, reading
from debatomic.paging import page_of
from debatomic.templatetags import pages
from debatomic.tools.errors import InputError, ToolError
from hosts import hub
from hosts.kept.downloads import download
from hosts.models import Artifact, Log, Task
from hosts.models.task import TaskQuerySet
from hosts.pages.filters import ArtifactFilter, TaskFilter
from hosts.pages.forms import PriorityForm
from hosts.queue.choosing import refusals
from hosts.queue.why import why_waiting

# Tasks


@require_safe
@reading("tasks.view", public=True)
def task_list(request: PageRequest) -> HttpResponse:
    visible = Task.objects.visible_to(request.user).for_rows()
    filtered = TaskFilter(request.GET, queryset=visible)  # type: ignore[no-untyped-call]
    page = page_of(filtered.qs, request.GET)
    template = "hosts/_tasks.html" if request.htmx else "hosts/task_list.html"
    return render(request, template, {"filter": filtered, "page": page, "tasks": page.rows, "pick": _picks(request)})


def _picks(request: PageRequest) -> bool:
    """Whether this person may ever act on tasks, so that rows of the list can be ticked."""
    return may(request.user, "builds.submit") or may(request.user, "tasks.cancel")


@require_safe
@reading(public=True)
def task_row(request: PageRequest, pk: int) -> HttpResponse:
    """One row of the list, for its live refresh."""
    return render(request, "hosts/_task_rows.html", {"tasks": [_task(request, pk)], "pick": "pick" in request.GET})


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


@require_POST
@acting("tasks.prioritize")
def task_priority(request: SignedInRequest, pk: int) -> HttpResponse:
    """Move it, and what is beneath it, in the queue."""
    task = _task(request, pk)
    form = PriorityForm(request.POST)
    try:
        if form.is_valid():
            hub.set_priority(task, form.cleaned_data["priority"], by=request.user)
            messages.success(request, f"{task} has priority {form.cleaned_data['priority']} now.")
        else:
            messages.error(request, "A priority is a whole number from 0 (first) to 1000.")
    except InputError as error:
        messages.error(request, error.sentence)
    return redirect(task)


BULK = {"cancel": (hub.cancel_many, "being canceled"), "retry": (hub.retry_many, "running again")}


@require_POST
@acting()
def task_bulk(request: SignedInRequest) -> HttpResponse:
    """Cancel or retry the tasks that were ticked, or all that the list's filter finds: a batch at a time."""
    verb, words = BULK.get(request.POST.get("verb", ""), BULK["retry"])
    query = QueryDict(request.POST.get("filter", ""))
    visible = Task.objects.visible_to(request.user)
    try:
        tasks = _picked(request, visible) if "ids" in request.POST else _all_of(query, visible)
        _tell(request, verb(tasks, by=request.user), words)
    except InputError as error:
        messages.error(request, error.sentence)
    return redirect(f"{reverse('task-list')}?{query.urlencode()}" if query else "task-list")


def _picked(request: SignedInRequest, visible: TaskQuerySet) -> TaskQuerySet:
    return hub.picked(visible, [int(text) for text in request.POST.getlist("ids") if text.isdecimal()])


def _all_of(query: QueryDict, visible: TaskQuerySet) -> TaskQuerySet:
    """What the filter finds; without any filter nothing is meant."""
    found = TaskFilter(query, queryset=visible)  # type: ignore[no-untyped-call]
    if not any(query.get(name) for name in found.filters):
        raise InputError("Tick the tasks that are meant, or filter the list first.")
    result: TaskQuerySet = found.qs
    return result


def _tell(request: SignedInRequest, batch: hub.Batch, words: str) -> None:
    number = len(batch.done)
    more = " There are more: do it again." if batch.more else ""
    messages.success(request, f"{number} task{' is' if number == 1 else 's are'} {words}.{more}")
    if batch.refused:
        task, reason = next(iter(batch.refused.items()))
        others = f" (and {len(batch.refused) - 1} others)" if len(batch.refused) > 1 else ""
        messages.warning(request, f"Not task {task}{others}: {reason}")


# Artifacts


@require_safe
@reading("artifacts.view", public=True)
def artifact_list(request: PageRequest) -> HttpResponse:
    visible = Artifact.objects.visible_to(request.user).for_rows()
    filtered = ArtifactFilter(request.GET, queryset=visible)  # type: ignore[no-untyped-call]
    page = page_of(filtered.qs, request.GET)
    return render(request, "hosts/artifact_list.html", {"filter": filtered, "page": page, "artifacts": page.rows})


@require_safe
@reading(public=True)
def artifact_download(request: PageRequest, pk: int, name: str) -> HttpResponseBase:
    artifact = get_object_or_404(Artifact.objects.visible_to(request.user), pk=pk, name=name)
    return download(request, artifact)
