"""The promotion board: of each source package what each tag of the path has, and whether it may go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef

from builds.models import Build
from builds.promotion.policy import Policy
from builds.promotion.promoting import Candidate, preview
from builds.tagging.tag_models import Tag, TagEntry

SIZE = 50  # source packages on a page
MOST_PARTS = 10  # that are looked through for a page which shows only some
EVERYTHING, MOVABLE, HELD = "", "movable", "held"
SHOWS = {EVERYTHING: "everything", MOVABLE: "what can go on", HELD: "what is held back"}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The newest build of a source package in a tag; `candidate` where there is a tag after it that lacks it."""

    tag: str
    build: Build | None = None
    since: datetime | None = None
    candidate: Candidate | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    source: str
    cells: tuple[Cell, ...]  # one for each tag of the path

    @property
    def candidates(self) -> list[Candidate]:
        return [cell.candidate for cell in self.cells if cell.candidate]

    def is_shown(self, show: str) -> bool:
        if show == MOVABLE:
            return any(each.can_move for each in self.candidates)
        return show != HELD or any(not each.can_move for each in self.candidates)


@dataclass(frozen=True, kw_only=True)
class Board:
    """Rows of one page; `after` is the source package that the next page begins after, empty at the end."""

    tags: Sequence[Tag]
    rows: list[Row] = field(default_factory=list)
    after: str = ""


def board(policy: Policy, *, by: Any, begins: str = "", after: str = "", show: str = EVERYTHING) -> Board:
    """A page of it: source packages whose names begin so, after this one, in their order.

    Where only some are shown, at most MOST_PARTS × SIZE source packages are looked at: a page may then have few rows,
    and another after it.
    """
    known = {tag.name: tag for tag in Tag.objects.filter(name__in=policy.path)}
    tags = [known[name] for name in policy.path if name in known]
    rows: list[Row] = []
    for _ in range(MOST_PARTS):
        names, more = _sources(tags, begins, after, by)
        rows += [row for row in _rows(policy, tags, names, by) if row.is_shown(show)]
        after = names[-1] if more else ""
        if not after or len(rows) >= SIZE // 2:
            break
    return Board(tags=tags, rows=rows, after=after)


def _sources(tags: Sequence[Tag], begins: str, after: str, by: Any) -> tuple[list[str], bool]:
    """The next source packages that one of the tags has, and whether there are more."""
    tagged = TagEntry.objects.at().filter(build=OuterRef("pk"), tag__in=tags)
    found = Build.objects.visible_to(by).filter(Exists(tagged), source__gt=after)
    if begins:
        found = found.filter(source__startswith=begins)
    names = list(found.order_by("source").values_list("source", flat=True).distinct()[: SIZE + 1])
    return names[:SIZE], len(names) > SIZE


def _rows(policy: Policy, tags: Sequence[Tag], names: Sequence[str], by: Any) -> list[Row]:
    newest = _newest(tags, names, by)
    candidates = _candidates(policy, tags, newest, by)
    return [Row(source=name, cells=tuple(_cell(tag, newest.get((tag.pk, name)), candidates) for tag in tags))
            for name in names]  # fmt: skip


Newest = Mapping[tuple[int, str], TagEntry]  # by tag and source package


def _newest(tags: Sequence[Tag], names: Sequence[str], by: Any) -> Newest:
    rows = TagEntry.objects.at().filter(tag__in=tags, build__source__in=names, build__in=Build.objects.visible_to(by))
    rows = rows.select_related("build__task", "build__created_by").order_by("pk")
    return {(entry.tag_id, entry.build.source): entry for entry in rows.defer("build__files")}


def _candidates(policy: Policy, tags: Sequence[Tag], newest: Newest, by: Any) -> dict[tuple[int, int], Candidate]:
    """By tag and build: what would be said of the step from there."""
    by_name = {tag.name: tag for tag in tags}
    found: dict[tuple[int, int], Candidate] = {}
    for source, to in policy.steps:
        if source in by_name and to in by_name:
            here, there = by_name[source], by_name[to]
            builds = [entry.build for (tag, name), entry in newest.items() if tag == here.pk
                      and not _is_there(newest.get((there.pk, name)), entry)]  # fmt: skip
            for each in preview(policy, builds, source=here, to=there, by=by):
                found[here.pk, each.build.pk] = each
    return found


def _is_there(there: TagEntry | None, entry: TagEntry) -> bool:
    return there is not None and there.build_id == entry.build_id


def _cell(tag: Tag, entry: TagEntry | None, candidates: Mapping[tuple[int, int], Candidate]) -> Cell:
    if entry is None:
        return Cell(tag=tag.name)
    return Cell(tag=tag.name, build=entry.build, since=entry.began_at,
                candidate=candidates.get((tag.pk, entry.build_id)))  # fmt: skip
