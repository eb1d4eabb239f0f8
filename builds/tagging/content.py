"""What a tag has, its own and what it inherits: of each source package, what the nearest tag has of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from builds.tagging import families
from builds.tagging.families import Family
from builds.tagging.tag_models import BlockedPackage, Tag, TagEntry, TagParent
from debatomic.tools.errors import InputError


@dataclass(frozen=True)
class Line:
    """One line of inheritance: `patterns` of source packages that pass, or none for all."""

    parent: int
    priority: int
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """A tag on the way up: which packages reach it by `filters` (one of each), and through which tags."""

    tag: int
    filters: tuple[tuple[str, ...], ...] = ()
    path: tuple[int, ...] = ()  # the tags below, the asked one first


@dataclass(frozen=True)
class Found:
    """A build that is in a tag, by the entry of the tag `via`."""

    build: int
    source: str
    via: int


Lines = Mapping[int, Sequence[Line]]


def order(tag: int, lines: Lines) -> list[Step]:
    """The tags to ask, in the order of asking: depth first, the least priority first. Raises InputError for a cycle."""
    return list(walk(tag, lines))


def walk(tag: int, lines: Lines) -> Iterator[Step]:
    """The same, as it goes: there can be very many ways."""
    return _walk(Step(tag), lines)


def reached(tag: int, lines: Lines) -> set[int]:
    """The tags that it comes to, itself among them, on whatever way."""
    found, ahead = {tag}, [tag]
    while ahead:
        new = {line.parent for line in lines.get(ahead.pop(), ())} - found
        found |= new
        ahead += new
    return found


def _walk(step: Step, lines: Lines) -> Iterator[Step]:
    if step.tag in step.path:
        raise InputError("The inheritance of this tag comes back to itself.", field="parent")
    yield step
    for line in sorted(lines.get(step.tag, ()), key=lambda each: each.priority):
        filters = (*step.filters, line.patterns) if line.patterns else step.filters
        yield from _walk(Step(line.parent, filters, (*step.path, step.tag)), lines)


def resolve(
    steps: Iterable[Step], entries: Mapping[int, Sequence[tuple[int, str]]], blocked: Mapping[int, frozenset[str]],
    family: Family = families.ALONE,
) -> list[Found]:  # fmt: skip
    """Of each source package, what the first tag has of it that may be asked; `entries` are (build, source) by tag.

    Where that is binary rebuilds alone, the build they are of comes from the next tag that has it (`family`).
    """
    found: list[Found] = []
    taken: dict[str, list[int]] = {}
    for step in steps:
        closed = frozenset().union(*(blocked.get(tag, frozenset()) for tag in (*step.path, step.tag)))
        here = [Found(build, source, step.tag) for build, source in entries.get(step.tag, ())
                if source not in closed and _passes(source, step.filters)
                and (source not in taken or family.is_lacking(build, taken[source]))]  # fmt: skip
        for each in here:
            taken.setdefault(each.source, []).append(each.build)
        found += here
    return found


def _passes(source: str, filters: Iterable[Sequence[str]]) -> bool:
    return all(any(fnmatchcase(source, pattern) for pattern in patterns) for patterns in filters)


# From the database


def lines_at(moment: datetime | None = None) -> dict[int, list[Line]]:
    """All inheritance as it was then; None: as it is."""
    found: dict[int, list[Line]] = {}
    rows = TagParent.objects.at(moment).values_list("tag_id", "parent_id", "priority", "packages")
    for tag, parent, priority, packages in rows:
        found.setdefault(tag, []).append(Line(parent, priority, tuple(packages.split())))
    return found


def content(tag: Tag, moment: datetime | None = None) -> list[Found]:
    """What the tag has, or had then, its own and inherited."""
    steps = order(tag.pk, lines_at(moment))
    tags = {step.tag for step in steps}
    entries: dict[int, list[tuple[int, str]]] = {}
    rows = TagEntry.objects.at(moment).filter(tag__in=tags).order_by("pk")
    for pk, build, source in rows.values_list("tag_id", "build_id", "build__source"):
        entries.setdefault(pk, []).append((build, source))
    closed: dict[int, frozenset[str]] = {}
    for pk, source in BlockedPackage.objects.at(moment).filter(tag__in=tags).values_list("tag_id", "source"):
        closed[pk] = closed.get(pk, frozenset()) | {source}
    return resolve(steps, entries, closed, families.known({pk for each in entries.values() for pk, _ in each}))


def state_of(tag: int, lines: Lines, revisions: Mapping[int, int]) -> str:
    """Changes whenever what the tag has may have changed; cheap to ask for."""
    return " ".join(f"{step.tag}:{revisions.get(step.tag, 0)}" for step in order(tag, lines))
