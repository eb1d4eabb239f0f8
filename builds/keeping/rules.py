"""What a tag keeps: plain rules over its entries, and the verb that ends what they do not keep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from django.db import transaction
from django.db.models import Count, Min, Q
from django.utils import timezone

from builds.tagging import changing
from builds.tagging.families import places
from builds.tagging.tag_models import Tag, TagEntry
from debatomic.access.models import AuditEntry


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Of each source package the newest `versions` stay (0: all), and of those what is younger than `days` (0: all);
    the newest `least` stay whatever their age, and all that a pattern of `keep` names."""

    versions: int = 0
    days: int = 0
    least: int = 1
    keep: tuple[str, ...] = ()

    def protect(self, source: str) -> bool:
        """Whether all builds of this source package stay."""
        return any(fnmatchcase(source, pattern) for pattern in self.keep)


@dataclass(frozen=True)
class Entry:
    """A build in a tag."""

    pk: int
    source: str
    began_at: datetime
    version: str = ""
    binnmu: int = 0  # the number of a binary rebuild


def rules_of(tag: Tag, given: Mapping[str, Any] | None = None) -> Rules:
    """Those of the tag, some of them changed for trying them out."""
    own = Rules(versions=tag.versions, days=tag.days, least=tag.least, keep=tuple(tag.keep.split()))
    return replace(own, **{name: value for name, value in (given or {}).items() if value is not None})


def superfluous(rules: Rules, entries: Iterable[Entry], now: datetime) -> dict[int, str]:
    """The entries that the rules end, and why; `entries` are all that hold now."""
    by_source: dict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda each: -each.pk):
        by_source[entry.source].append(entry)
    found = {}
    for source, mine in by_source.items():
        for place, entry in zip(places((entry.version, entry.binnmu) for entry in mine), mine, strict=True):
            if not rules.protect(source) and (why := _why(rules, entry, place, now)):
                found[entry.pk] = why
    return found


def _why(rules: Rules, entry: Entry, place: int, now: datetime) -> str:
    if rules.versions and place >= rules.versions:
        return f"more than {rules.versions} versions"
    if rules.days and place >= rules.least and now - entry.began_at > timedelta(days=rules.days):
        return f"older than {rules.days} days"
    return ""


def plan(tag: Tag, rules: Rules) -> dict[int, str]:
    """The entries of this tag that would end, and why; nothing is changed."""
    now = timezone.now()
    some = Q(number__lt=0)
    if rules.versions:
        some |= Q(number__gt=rules.versions)
    if rules.days:
        some |= Q(number__gt=rules.least, oldest__lt=now - timedelta(days=rules.days))
    by_source = tag.entries.at().values("build__source").annotate(number=Count("pk"), oldest=Min("began_at"))
    sources = list(by_source.filter(some).order_by().values_list("build__source", flat=True))
    rows = tag.entries.at().filter(build__source__in=sources).values_list(
        "pk", "build__source", "began_at", "build__version", "build__binnmu"
    )  # fmt: skip
    return superfluous(rules, (Entry(*row) for row in rows), now)


def apply(tag: Tag) -> int:
    """End what the tag's rules do not keep, unless it is locked; the number of entries."""
    if not plan(tag, rules_of(tag)):  # looked for without a lock
        return 0
    with transaction.atomic():
        row = changing.locked(tag)
        found = {} if row.locked else plan(row, rules_of(row))
        for why in set(found.values()):
            TagEntry.objects.filter(pk__in=[pk for pk, each in found.items() if each == why]).end(None, why)
        if found:
            AuditEntry.note(None, "retention.tag", row, entries=len(found))
            changing.changed(row)
    return len(found)
