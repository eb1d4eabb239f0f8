"""What the database knows of builds that are to be promoted: as many queries for one as for hundreds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from builds.models import Build
from builds.promotion import evidence
from builds.promotion.conditions import Facts, Person
from builds.tagging.tag_models import Tag, TagEntry
from debatomic.access.models import RoleBinding, User
from debatomic.access.roles import ADMINISTRATOR


def gather(builds: Sequence[Build], source: Tag, to: Tag, *, by: Any) -> dict[int, Facts]:
    """By build: what a policy may ask about its step from `source` to `to`, if `by` has it promoted."""
    pks = [build.pk for build in builds]
    entered, tags = _entries(pks, source)
    roles, there = _roles(builds), _versions({build.source for build in builds}, to)
    results, signatures = evidence.results.of(pks), evidence.signatures.of(pks)
    promoter, now = _promoter(by), timezone.now()
    return {
        build.pk: Facts(
            package=build.source, version=build.version, state=build.state, promoter=promoter,
            submitter=Person(name=build.created_by.username, roles=frozenset(roles[build.created_by_id])),
            in_tag=_since(entered.get(build.pk), now), built=_since(build.task.finished_at, now),
            tags=frozenset(tags[build.pk]), results=results[build.pk], signatures=frozenset(signatures[build.pk]),
            there=tuple(there[build.source]),
        ) for build in builds
    }  # fmt: skip


def _entries(builds: Iterable[int], source: Tag) -> tuple[dict[int, datetime], dict[int, set[str]]]:
    """Since when each is in `source`, and all the tags it is in."""
    entered: dict[int, datetime] = {}
    tags: dict[int, set[str]] = defaultdict(set)
    rows = TagEntry.objects.at().filter(build__in=builds)
    for build, tag, name, began_at in rows.values_list("build_id", "tag_id", "tag__name", "began_at"):
        tags[build].add(name)
        if tag == source.pk:
            entered[build] = began_at
    return entered, tags


def _roles(builds: Iterable[Build]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = defaultdict(set)
    people = {build.created_by_id for build in builds}
    for user, role in RoleBinding.objects.filter(user__in=people).values_list("user_id", "role"):
        found[user].add(role)
    return found


def _versions(packages: Iterable[str], tag: Tag) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    rows = TagEntry.objects.at().filter(tag=tag, build__source__in=packages).order_by("-pk")
    for package, version in rows.values_list("build__source", "build__version"):
        found[package].append(version)
    return found


def _promoter(by: Any) -> Person:
    if not isinstance(by, User):
        return Person()
    return Person(name=by.username, roles=frozenset(by.roles) | ({ADMINISTRATOR} if by.is_superuser else set()))


def _since(moment: datetime | None, now: datetime) -> timedelta | None:
    return None if moment is None else max(now - moment, timedelta())
