"""Removes what finished long ago: logs, artifacts, whole tasks, each by an age of its own, some at a time.

Never what a tag, a compose or a live task refers to: every app names what it keeps (registry.register_keeper). Removed
are rows; stored content that no row names any more goes a day later (hosts.kept.cleaning).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, Min, OuterRef, ProtectedError, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from debatomic.access.models import AuditEntry
from hosts import registry
from hosts.builder import local
from hosts.kept import store
from hosts.models import FINAL, LIVE, Artifact, Attempt, Task

logger = logging.getLogger(__name__)

BATCH = 200  # rows, or families of tasks, in one transaction
PAUSE_SECONDS = 60.0
LONG_PAUSE_SECONDS = 1800.0  # when there is nothing to do
EXAMPLES = 10
FAMILIES = ("tasks", "discarded")  # kinds that are whole families of tasks
MOST_DAYS = 36_500
_next_at = 0.0


@dataclass(frozen=True, kw_only=True)
class Ages:
    """After how many days logs, other artifacts and whole tasks go; 0: never."""

    logs: int = 0
    artifacts: int = 0
    tasks: int = 0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What of one kind would go: how many, how many bytes their files have, since when, and the oldest by name."""

    kind: str
    days: int
    number: int
    size: int
    oldest: Any
    examples: list[str]


def ages() -> Ages:
    """Those of the settings."""
    return Ages(logs=settings.KEEP_LOGS_DAYS, artifacts=settings.KEEP_ARTIFACTS_DAYS, tasks=settings.KEEP_TASKS_DAYS)


def changed(given: Mapping[str, int | None]) -> Ages:
    """The same with some of them changed: for trying them out."""
    return replace(ages(), **{name: value for name, value in given.items() if value is not None})


# What may go


def _kept() -> Q:
    """Roots of families that stay, whatever their age."""
    kept = Q()
    for keeper in registry.keepers():
        kept |= Q(pk__in=keeper.kept())
    live = Task.objects.filter(state__in=LIVE).order_by()
    for path in ("pk", "parent", "parent__parent"):
        for of in (path, f"dependencies__{path}"):  # no NULL: nothing is outside of a set with one
            kept |= Q(pk__in=live.filter(**{f"{of}__isnull": False}).values(of))
    return kept | Q(pk__in=_named_by_live())


def _named_by_live() -> set[int]:
    """Roots of the families whose artifacts a live task's request names by SHA-256."""
    requests = Task.objects.live().order_by().values_list("request", flat=True)
    named = {text for request in requests.iterator() for text in local.texts(request) if store.DIGEST.fullmatch(text)}
    roots: set[int] = set()
    ordered = sorted(named)
    for start in range(0, len(ordered), 500):
        rows = Artifact.objects.filter(sha256__in=ordered[start : start + 500], task__isnull=False)
        for own, above, top in rows.values_list("task_id", "task__parent_id", "task__parent__parent_id"):
            roots.add(top or above or own)
    return roots


def _removable(days: int) -> QuerySet[Task]:
    """Roots of families that ended so long ago and that nothing keeps."""
    before = timezone.now() - timedelta(days=days)
    roots = Task.objects.filter(parent=None, state__in=FINAL, finished_at__lt=before).exclude(_kept())
    late = Task.objects.filter(finished_at__gte=before)
    for path in ("parent", "parent__parent"):
        roots = roots.exclude(Exists(late.filter(**{path: OuterRef("pk")})))
    return roots.order_by("finished_at", "pk")


def _files(days: int, *, logs: bool) -> QuerySet[Artifact]:
    """Artifacts of such families: their logs, or everything else."""
    kind = Q(kind=Artifact.Kind.LOG)
    before = timezone.now() - timedelta(days=days)
    old = Artifact.objects.filter(kind if logs else ~kind, task__isnull=False, task__finished_at__lt=before)
    root = Coalesce("task__parent__parent_id", "task__parent_id", "task_id")
    removable = _removable(days).order_by().filter(pk=OuterRef("root"))
    return old.annotate(root=root).filter(Exists(removable)).order_by("pk")


def _tasks(days: int) -> QuerySet[Task]:
    """Such families whose attempts are all in the statistics."""
    return _counted(_removable(days))


def _discarded() -> QuerySet[Task]:
    """Such families that an app wants to go, at any age, and that nothing keeps."""
    due = Q(pk__in=[])
    for keeper in registry.keepers():
        due |= Q(pk__in=keeper.due())
    roots = Task.objects.filter(due, parent=None, state__in=FINAL).exclude(_kept())
    return _counted(roots.order_by("finished_at", "pk"))


def _counted(roots: QuerySet[Task]) -> QuerySet[Task]:
    uncounted = Attempt.objects.filter(counted=False).order_by()
    for path in ("task", "task__parent", "task__parent__parent"):
        roots = roots.exclude(pk__in=uncounted.filter(**{f"{path}__isnull": False}).values(path))
    return roots


def _wanted(kind: str, days: int) -> Any:
    if kind == "discarded":
        return _discarded()
    return _tasks(days) if kind == "tasks" else _files(days, logs=kind == "logs")


# The dry run


def plans(wanted: Ages) -> list[Plan]:
    """What would go with these ages, without removing anything."""
    return [_plan(kind, days) for kind, days in asdict(wanted).items() if days]


def _plan(kind: str, days: int) -> Plan:
    if kind == "tasks":
        roots = _tasks(days)
        told = roots.order_by().aggregate(number=Count("pk"), oldest=Min("finished_at"))
        files = [_files(days, logs=logs).aggregate(size=Sum("size", default=0)) for logs in (True, False)]
        size = sum(one["size"] for one in files)
        names = [f"task {task.pk}: {task.title}" for task in roots[:EXAMPLES]]
    else:
        rows = _files(days, logs=kind == "logs")
        told = rows.order_by().aggregate(number=Count("pk"), oldest=Min("created_at"), size=Sum("size", default=0))
        size = told["size"]
        names = [f"{row.name} of task {row.task_id}" for row in rows[:EXAMPLES]]
    return Plan(kind=kind, days=days, number=told["number"], size=size, oldest=told["oldest"], examples=names)


# Removing


def tend() -> int:
    """Remove a batch of each kind when it is time; the number of rows."""
    global _next_at  # noqa: PLW0603 - each process that ticks has its own pause
    if time.monotonic() < _next_at or ages() == Ages():
        return 0
    _next_at = time.monotonic() + PAUSE_SECONDS
    gone = sum(remove(kind, days) for kind, days in asdict(ages()).items() if days)
    if not gone:
        _next_at = time.monotonic() + LONG_PAUSE_SECONDS
    return gone


def remove(kind: str, days: int) -> int:
    """Remove one batch of logs, artifacts, tasks, or of what apps discarded; the number of those. It can be repeated
    until that is 0.

    They are looked for without a lock, which may take a while, and looked at again in the transaction.
    """
    wanted = _wanted(kind, days)
    found = list(wanted.order_by().values_list("pk", flat=True)[:BATCH])
    if not found:
        return 0
    try:
        with transaction.atomic():
            again = wanted.order_by("pk").filter(pk__in=found)
            number = _remove_tasks(again) if kind in FAMILIES else _remove_files(again, logs=kind == "logs")
            if number:
                AuditEntry.note(None, f"retention.{kind}", f"{number} {kind}", days=days)
            return number
    except (ProtectedError, IntegrityError) as error:  # something began to refer to it just now
        logger.warning("Retention of %s stopped at a row that is referred to: %s", kind, error)
        return 0


def _remove_files(files: QuerySet[Artifact], *, logs: bool) -> int:
    found = list(files.values_list("pk", flat=True))
    for keeper in registry.keepers() if not logs else ():
        keeper.forget_artifacts(found)
    Artifact.objects.filter(pk__in=found).delete()
    return len(found)


def _remove_tasks(tasks: QuerySet[Task]) -> int:
    locked = tasks.select_for_update(of=("self",))
    roots = [task.pk for task in locked]  # those that nobody retried meanwhile
    for keeper in registry.keepers():
        keeper.forget_tasks(roots)
    for path in ("parent__parent__in", "parent__in", "pk__in"):
        Task.objects.filter(**{path: roots}).delete()
    return len(roots)
