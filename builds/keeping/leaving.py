"""Marks: what no tag and no repository keeps is told a date, can be kept until then, and goes after it."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, ProtectedError, Q, QuerySet
from django.utils import timezone

from builds.keeping import rules
from builds.keeping.references import named
from builds.models import BinaryPackage, Build
from builds.provenance import indexing
from builds.provenance.package_models import SourcePackage
from builds.tagging import pruning
from builds.tagging.repository_models import Holding, Repository, Snapshot
from builds.tagging.tag_models import Tag, TagEntry
from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError
from hosts.kept import retention
from hosts.models import FINAL

BATCH = 500
PAUSE_SECONDS = 60.0
LONG_PAUSE_SECONDS = 1800.0  # when there was nothing to do
_next_at = 0.0


def superfluous(now: datetime) -> QuerySet[Build]:
    """Builds that left each of their tags so long ago as those keep them, and that no repository has."""
    over = Q(pk__in=[])
    for days in set(Tag.objects.filter(discard_days__gt=0).order_by().values_list("discard_days", flat=True)):
        over |= Q(tag__discard_days=days, ended_at__isnull=False, ended_at__lt=now - timedelta(days=days))
    ended = TagEntry.objects.filter(over).order_by().values("build")
    staying = TagEntry.objects.filter(build=OuterRef("pk")).exclude(pk__in=TagEntry.objects.filter(over).values("pk"))
    left = Build.objects.filter(pk__in=ended, kept=False, task__state__in=FINAL, task__parent=None)  # no chain's
    held = Holding.objects.filter(build=OuterRef("pk"))
    found: QuerySet[Build] = left.exclude(Exists(staying)).exclude(Exists(held))
    return found


def kept() -> Any:
    """The tasks of builds that stay: tagged, kept by a person, or not past the day they were told."""
    tagged = TagEntry.objects.filter(build=OuterRef("pk"))
    waiting = Q(leaves_at=None) | Q(leaves_at__gt=timezone.now())
    stays = Q(kept=True) | Exists(tagged.at()) | (Exists(tagged) & waiting)
    return Build.objects.filter(stays).order_by().values("task_id")


def due() -> Any:
    """The tasks of builds whose day has come: those first of which it was just found out that nothing names them."""
    over = Build.objects.filter(leaves_at__lte=timezone.now(), kept=False, task__parent=None)
    return over.order_by("leaves_at", "pk").values("task_id")[:BATCH]


def tend() -> int:
    """Apply the rules of tags, mark, and remove what was marked long enough, when it is time; how much was done."""
    global _next_at  # noqa: PLW0603 - each process that ticks has its own pause
    if time.monotonic() < _next_at:
        return 0
    _next_at = time.monotonic() + LONG_PAUSE_SECONDS  # if it fails, too
    done = sweep(timezone.now())
    _next_at = time.monotonic() + (PAUSE_SECONDS if done else LONG_PAUSE_SECONDS)
    return done


def sweep(now: datetime) -> int:
    """One round of all of it; the number of rows that changed."""
    ruled = Tag.objects.filter(Q(days__gt=0) | Q(versions__gt=0), locked=False)
    done = sum(rules.apply(tag) for tag in ruled)
    done += _mark(Build.objects.all(), superfluous(now), now)
    done += _mark(Snapshot.objects.all(), pruning.superfluous(now), now)
    done += retention.remove("discarded", 0)
    behind = Repository.objects.filter(snapshots__leaves_at__lte=now).distinct()
    return done + sum(1 for repository in behind if pruning.prune(repository, now))


def _mark(rows: Any, found: Any, now: datetime) -> int:
    """Tell what is found the day it goes, a batch at a time; nothing else has one, nor what something names."""
    marked = rows.filter(leaves_at__isnull=False)
    undone = int(marked.exclude(pk__in=found.values("pk")).update(leaves_at=None))
    coming = list(found.filter(leaves_at__lte=now).order_by("leaves_at", "pk")[:BATCH])
    fresh = list(found.filter(leaves_at=None).order_by("?")[:BATCH])  # what is named does not stand before the others
    staying = _named(coming + fresh)
    undone += int(rows.filter(pk__in=[each.pk for each in coming if each.pk in staying]).update(leaves_at=None))
    going = [each.pk for each in fresh if each.pk not in staying]
    until = now + timedelta(days=settings.KEEP_UNDO_DAYS)
    marked_now: int = rows.filter(pk__in=going, leaves_at=None, kept=False).update(leaves_at=until)
    return undone + marked_now


def _named(things: list[Any]) -> set[int]:
    """The ids of those that a live task or a compose names."""
    if not things:
        return set()
    if isinstance(things[0], Snapshot):
        names = dict(Repository.objects.values_list("pk", "suite"))
        places = {(names[each.repository_id], each.name): each.pk for each in things}
        return {places[place] for place in named(set(places), set()).snapshots}
    rows = BinaryPackage.objects.filter(build__in=things).order_by().values_list("artifact__sha256", "build_id")
    made = list(rows)
    found = named(set(), {sha256 for sha256, _ in made}).contents
    return {build for sha256, build in made if sha256 in found}


# What people say


@transaction.atomic
def keep_build(build: Build, *, by: Any, keep: bool = True) -> None:
    """Have retention leave it alone, or not any more. Raises InputError where it is gone."""
    if not Build.objects.filter(pk=build.pk).update(kept=keep, leaves_at=None):
        raise InputError(f"{build} is gone already.")
    AuditEntry.note(by, "build.keep" if keep else "build.let_go", build, build=build.pk)


@transaction.atomic
def keep_snapshot(snapshot: Snapshot, *, by: Any, keep: bool = True) -> None:
    """Have retention leave it alone, or not any more. Raises InputError where it is gone, or is going now."""
    repository = Repository.objects.locked(snapshot.repository_id)
    task = repository.pruning
    going = task.request["snapshots"] if task is not None and task.is_live else []
    row = Snapshot.objects.get(pk=snapshot.pk)
    if row.removed_at or row.name in going:
        raise InputError(f"Snapshot {row.name} of {repository} is gone, or is being removed now.")
    Snapshot.objects.filter(pk=row.pk).update(kept=keep, leaves_at=None)
    AuditEntry.note(by, "snapshot.keep" if keep else "snapshot.let_go", repository, snapshot=row.name)


def forget_builds(tasks: Any) -> None:
    """Remove the builds of these tasks. Raises ProtectedError where somebody tagged or kept one meanwhile."""
    builds = list(Build.objects.select_for_update(of=("self",)).filter(task__in=tasks).order_by("pk"))
    found = Build.objects.filter(pk__in=[build.pk for build in builds])
    again = TagEntry.objects.at().filter(build__in=builds)
    if again.exists() or any(build.kept for build in builds):
        raise ProtectedError("A build was tagged or kept just now.", set(again))
    if named_ones := [f"{build} ({build.pk})" for build in builds if build.leaves_at]:
        AuditEntry.note(None, "retention.builds", f"{len(named_ones)} builds", builds=named_ones)
    sources = {build.source for build in builds}
    indexing.forget(BinaryPackage.objects.filter(build__in=found))
    found.delete()
    SourcePackage.objects.forget(sources, Build.objects)
