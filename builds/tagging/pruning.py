"""Snapshots that are marked and whose time has come leave the disk by a task, with the packages that only they had.

Nothing changes a repository while it is pruned, nothing prunes it while it is changed: both look at its row, locked.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from builds.models import Build
from builds.tagging.entries import folder_of
from builds.tagging.repository_models import Holding, Repository, Snapshot
from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.kept import store
from hosts.models import FINAL, Channel, State, Task

BATCH = 200  # snapshots in one task
LIMITS = {"time_limit": 3600, "idle_limit": 3600}  # seconds
WAIT = timedelta(minutes=10)  # after one that failed


def superfluous(now: datetime) -> QuerySet[Snapshot]:
    """Snapshots that another one took the place of so many days ago as their repository keeps them."""
    published = Snapshot.objects.filter(published_at__isnull=False)
    later = published.filter(repository=OuterRef("repository"), pk__gt=OuterRef("pk"))
    found = Snapshot.objects.annotate(after_at=Subquery(later.order_by("pk").values("published_at")[:1]))
    old = Q(pk__in=[])
    for days in set(Repository.objects.filter(keep_days__gt=0).order_by().values_list("keep_days", flat=True)):
        old |= Q(repository__keep_days=days, after_at__lt=now - timedelta(days=days))
    mine = found.filter(old, kept=False, removed_at=None, task__state__in=FINAL)
    current = Repository.objects.filter(current__isnull=False).order_by().values("current")
    going: QuerySet[Snapshot] = mine.exclude(pk__in=current)
    return going


def prune(repository: Repository, now: datetime) -> Task | None:
    """Submit the task that removes what is marked and whose time has come; None where nothing is, or it is busy."""
    with transaction.atomic():
        row = Repository.objects.locked(repository.pk)
        newest = row.newest(1)
        if row.is_busy or not newest or newest[0].task.state != State.COMPLETED or _failed_lately(row, now):
            return None
        going = list(superfluous(now).filter(repository=row, leaves_at__lte=now).order_by("pk")[:BATCH])
        if not going:
            return None
        paths = json.dumps({"paths": sorted(_paths(row, going))}).encode()
        task = hub.submit(
            "repository-prune", f"remove {len(going)} snapshots of repository {row}", by=None, limits=LIMITS,
            channel=Channel.objects.get(name="default"), priority=0,
            request={"repository": row.suite, "snapshots": [each.name for each in going],
                     "pool": store.add(io.BytesIO(paths))[0]},
        )  # fmt: skip
        Repository.objects.filter(pk=row.pk).update(pruning=task)
        AuditEntry.note(None, "retention.snapshots", row, snapshots=[each.name for each in going])
    return task


def _failed_lately(repository: Repository, now: datetime) -> bool:
    task = repository.pruning
    if task is None or task.state == State.COMPLETED or task.finished_at is None:
        return False
    return now - task.finished_at < WAIT


def dead(repository: Repository, going: Iterable[Snapshot] = ()) -> QuerySet[Holding]:
    """What no snapshot of it has any more, once these are gone."""
    there = Snapshot.objects.filter(
        repository=repository, removed_at=None, published_at__isnull=False,
        pk__gte=OuterRef("first_id"), pk__lt=OuterRef("end_id"),
    ).exclude(pk__in=[each.pk for each in going])  # fmt: skip
    gone: QuerySet[Holding] = repository.holdings.filter(end__isnull=False).exclude(Exists(there))
    return gone


def _paths(repository: Repository, going: Sequence[Snapshot]) -> set[str]:
    """The files of the pool that only these snapshots have."""
    dying = dead(repository, going)
    alive = repository.holdings.exclude(pk__in=dying.values("pk"))
    pairs = set(dying.values_list("build_id", "binary_id")) - set(
        alive.filter(build__in=dying.values("build")).values_list("build_id", "binary_id"))  # fmt: skip
    builds = Build.objects.in_bulk({build for build, _ in pairs})
    names = dict(Holding.objects.filter(pk__in=dying.values("pk"), binary__isnull=False)
                 .values_list("binary_id", "binary__artifact__name"))  # fmt: skip
    found: set[str] = set()
    for build, package in pairs:
        files = [each["name"] for each in builds[build].files] if package is None else [names[package]]
        found.update(f"{folder_of(builds[build])}/{name}" for name in files)
    return found


def again(task: Task) -> None:
    """Raises InputError: which files only those snapshots have may be otherwise by now."""
    raise InputError("What a repository lets go is found out anew each time.", hint="The next round asks for it.")


def changed(task: Task) -> None:
    """The task ended: what it removed is gone."""
    if task.state != State.COMPLETED:
        return
    repository = Repository.objects.filter(suite=task.request["repository"], pruning=task).first()
    if repository is None:
        return
    gone = repository.snapshots.filter(name__in=task.request["snapshots"])
    gone.update(removed_at=timezone.now(), leaves_at=None, change={})
    dead(repository).delete()
