"""Removes the files of old composes: never of one that a release channel carries, or would go back to.

What stays of a removed compose is what is known of it: its row, its lock, its logs, its metadata.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from composes.models import Compose, Deliverable, ReleaseChannel
from debatomic.access.models import AuditEntry
from hosts import hub
from hosts.models import FINAL, LIVE, Artifact, Channel, State, Task

logger = logging.getLogger(__name__)
BATCH = 50  # composes in one transaction and one task
PAUSE_SECONDS = 600.0
EXAMPLES = 50
LIMITS = {"time_limit": 6 * 3600, "idle_limit": 3600}  # seconds
STAY = (Artifact.Kind.LOG, Artifact.Kind.METADATA)
_next_at = 0.0


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The last `keep` finished composes of a variant stay, and all younger than `days`. keep=0: everything stays."""

    keep: int = 0
    days: int = 0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What would go: the first of them, whether there are more, and the bytes of their files."""

    composes: list[Compose]
    more: bool
    size: int


def policy() -> Policy:
    """That of the settings."""
    return Policy(keep=settings.KEEP_COMPOSES, days=settings.KEEP_COMPOSES_DAYS)


def removable(wanted: Policy) -> QuerySet[Compose]:
    """The composes whose files go, the oldest first."""
    if not wanted.keep:
        return Compose.objects.none()
    newer = Compose.objects.filter(
        revision__definition=OuterRef("revision__definition"), variant=OuterRef("variant"), pk__gt=OuterRef("pk"),
        task__state=State.COMPLETED, removed_at=None,
    ).order_by("pk")  # fmt: skip
    enough = newer[wanted.keep - 1 : wanted.keep]  # the last one that makes it superfluous
    before = timezone.now() - timedelta(days=wanted.days)
    old = Compose.objects.filter(removed_at=None, task__state__in=FINAL, created_at__lt=before)
    return old.filter(Exists(enough)).exclude(_carried()).exclude(_moving()).order_by("pk")


def _carried() -> Q:
    """What a channel carries, or would go back to."""
    carried = Q()
    for path in ("current__compose", "current__before__compose"):
        rows = ReleaseChannel.objects.filter(**{f"{path}__isnull": False}).order_by()
        carried |= Q(pk__in=rows.values(path))
    return carried


def _moving() -> Q:
    """What is on its way into a channel."""
    return Q(pk__in=Compose.objects.filter(moves__done_at=None, moves__task__state__in=LIVE).order_by().values("pk"))


def plan(wanted: Policy) -> Plan:
    """What would go, without removing anything."""
    rows = list(removable(wanted).select_related("task", "revision__definition", "created_by")[: EXAMPLES + 1])
    shown = rows[:EXAMPLES]
    size = _files([compose.task_id for compose in shown]).aggregate(size=Sum("size", default=0))["size"]
    return Plan(composes=shown, more=len(rows) > EXAMPLES, size=size)


def _files(tasks: list[int]) -> QuerySet[Artifact]:
    return Artifact.objects.filter(Q(task__in=tasks) | Q(task__parent__in=tasks)).exclude(kind__in=STAY)


def tend() -> int:
    """Remove a batch when it is time; the number of composes."""
    global _next_at  # noqa: PLW0603 - each process that ticks has its own pause
    if time.monotonic() < _next_at or not policy().keep:
        return 0
    _next_at = time.monotonic() + PAUSE_SECONDS
    return remove(policy())


def remove(wanted: Policy, *, by: Any = None) -> int:
    """Remove the files of one batch of composes; the number of those. It can be repeated until that is 0.

    Their commits leave the served repository by a task, which prunes it.
    """
    found = list(removable(wanted).values_list("pk", flat=True)[:BATCH])
    if not found:
        return 0
    with transaction.atomic():
        list(ReleaseChannel.objects.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))
        rows = list(removable(wanted).filter(pk__in=found).select_related("task"))
        _remove(rows, by)
    return len(rows)


def _remove(rows: list[Compose], by: Any) -> None:
    keys, tasks = [row.pk for row in rows], [row.task_id for row in rows]
    files = list(_files(tasks).values_list("pk", flat=True))
    Deliverable.objects.filter(compose__in=keys).update(artifact=None)
    Artifact.objects.filter(pk__in=files).delete()
    Compose.objects.filter(pk__in=keys).update(removed_at=timezone.now())
    names = [f"{row.identity}/{architecture}" for row in rows for architecture in _published(row)]
    if names:
        hub.submit("prune", f"remove {len(names)} commits from the repository", request={"names": names}, by=by,
                   channel=Channel.objects.get(name="default"), limits=LIMITS)  # fmt: skip
    AuditEntry.note(by, "retention.composes", f"{len(rows)} composes", composes=[row.identity for row in rows])


def _published(compose: Compose) -> list[str]:
    """The architectures of which a commit is kept in the served repository."""
    tasks = Task.objects.filter(parent=compose.task_id, method="publish", state=State.COMPLETED)
    return [str(task.request.get("architecture", "any")) for task in tasks]
