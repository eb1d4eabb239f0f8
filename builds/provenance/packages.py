"""What the pages and the API tell of source packages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from builds.models import BinaryPackage, Build, TagEntry
from builds.provenance.by_name import begins
from builds.provenance.matrix import Matrix, matrix
from builds.provenance.package_models import SourcePackage
from hosts.models import State, Task

SHOWN_BUILDS = 200  # the newest, that the matrix is made of
SHOWN_FAILURES = 5
SHOWN_TAGS = 50


@dataclass(frozen=True, kw_only=True)
class About:
    """A source package as its page shows it; `more` says that there are older builds than those of the matrix."""

    name: str
    matrix: Matrix
    builds: list[Build]
    more: bool
    failures: list[Build]
    tagged: list[TagEntry]
    binaries: list[BinaryPackage]
    people: list[tuple[str, int]]


def listed(user: Any, *, name: str = "", failed: bool = False, target: str = "") -> QuerySet[SourcePackage]:
    """Packages with a build that this person may know of; `name`: how they begin. `newest` is that build's id."""
    builds = Build.objects.visible_to(user)
    if target:
        builds = builds.filter(target__name=target)
    newest = builds.filter(source=OuterRef("name")).order_by("-pk").values("pk")[:1]
    found = SourcePackage.objects.filter(begins("name", name.strip().lower()))
    if failed:
        found = found.filter(failed=True) if user.is_authenticated else found.filter(public_failed=True)
    return found.annotate(newest=Subquery(newest)).filter(newest__isnull=False)


def with_builds(packages: Iterable[Any]) -> list[tuple[SourcePackage, Build]]:
    """Each of `listed` with its newest build."""
    rows = list(packages)
    builds = Build.objects.for_rows().in_bulk([each.newest for each in rows])
    return [(each, builds[each.newest]) for each in rows if each.newest in builds]


def about(name: str, user: Any) -> About | None:
    """None for a name without a build that this person may know of."""
    mine = Build.objects.visible_to(user).filter(source=name)
    found = list(mine.for_rows()[: SHOWN_BUILDS + 1])
    builds = found[:SHOWN_BUILDS]
    if not builds:
        return None
    people = Counter(str(build.created_by) for build in builds)
    entries = TagEntry.objects.at().filter(build__in=mine).select_related("tag", "build", "began_by")
    return About(
        name=name, matrix=matrix(builds, tasks_of(builds)), builds=builds, more=len(found) > SHOWN_BUILDS,
        failures=[build for build in builds if build.task.state == State.FAILED][:SHOWN_FAILURES],
        tagged=list(entries.order_by("tag__name", "-pk")[:SHOWN_TAGS]),
        binaries=_binaries(builds), people=people.most_common(),
    )  # fmt: skip


def tasks_of(builds: Iterable[Build]) -> dict[int, list[Task]]:
    """The tasks of these builds, one for each architecture, by their parent."""
    wanted = Task.objects.filter(parent__in=[build.task_id for build in builds], method="build-arch")
    found: dict[int, list[Task]] = {}
    rows = wanted.only("parent_id", "architecture", "state", "cause", "cancel_asked_at").order_by("pk")
    for task in rows:
        found.setdefault(task.parent_id or 0, []).append(task)
    return found


def _binaries(builds: list[Build]) -> list[BinaryPackage]:
    """Those of the newest completed build; of scratch builds only where there is no other."""
    good = [build for build in builds if build.task.state == State.COMPLETED]
    newest = next((build for build in good if not build.scratch), good[0] if good else None)
    return list(newest.binaries.select_related("artifact")) if newest else []
