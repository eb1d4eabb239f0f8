"""What the page of a comparison shows of each architecture: a slice of packages, and what their changelogs say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.http import QueryDict

from composes.comparing.comparison import Difference
from composes.comparing.recorded import Details
from composes.pipeline.compare import Comparison
from composes.pipeline.contents.changes import Changes, News
from composes.pipeline.packages.lock import Package
from debatomic.paging import Slice, slice_of
from debatomic.templatetags.pages import size

KINDS = ("added", "removed", "upgraded", "downgraded", "rebuilt")
NEWEST = 6  # entries of one changelog on the page; the text has all


@dataclass(frozen=True, kw_only=True)
class Row:
    """A package that differs. `size` is bytes of its file, `growth` how much more it takes installed, as text."""

    name: str
    kind: str
    old: str
    new: str
    source: str
    size: int | None
    growth: str


@dataclass(frozen=True, kw_only=True)
class Told:
    """The changelog of a source package as the page shows it; `more` entries are only in the text."""

    news: News
    text: str
    more: int


@dataclass(frozen=True, kw_only=True)
class Section:
    """One architecture: everything, and of the packages the slice that was asked for with their changelogs."""

    comparison: Comparison
    details: Details | None
    page: Slice[Row]
    told: tuple[Told, ...]

    @property
    def growth(self) -> str:
        """How much larger the system is, installed."""
        changes = self.details and self.details.changes
        return signed(changes.growth) if changes else ""


def signed(growth: int) -> str:
    """Bytes more or less, for people: +4.2 KiB."""
    return f"{'-' if growth < 0 else '+'}{size(abs(growth))}"


def sections(found: Difference, query: QueryDict) -> list[Section]:
    """By architecture. `?q=` keeps packages whose name or source has this text, `?kind=` those of one kind of change,
    `?page=` chooses the slice."""
    details = {each.architecture: each for each in found.details}
    return [_section(each, details.get(each.architecture), query) for each in found.packages]


def _section(comparison: Comparison, details: Details | None, query: QueryDict) -> Section:
    text, kind = query.get("q", "").strip().lower(), query.get("kind", "")
    changes = details.changes if details else None
    rows = [row for row in _rows(comparison, changes)
            if (text in row.name or text in row.source) and kind in ("", row.kind)]  # fmt: skip
    page = slice_of(rows, query)
    return Section(comparison=comparison, details=details, page=page, told=tuple(_told(page.rows, changes)))


def _rows(comparison: Comparison, changes: Changes | None) -> Iterator[Row]:
    growth = {each.name: signed(each.growth) for each in changes.sizes} if changes else {}

    def row(kind: str, old: Package | None, new: Package | None) -> Row:
        package = new or old
        assert package
        return Row(
            name=package.name, kind=kind, old=old.version if old else "", new=new.version if new else "",
            source=package.source, size=new.size if new else None, growth=growth.get(package.name, ""),
        )  # fmt: skip

    yield from (row(each.kind, each.old, each.new) for each in comparison.changed)
    yield from (row("added", None, each) for each in comparison.added)
    yield from (row("removed", each, None) for each in comparison.removed)


def _told(rows: Sequence[Row], changes: Changes | None) -> Iterator[Told]:
    sources = {row.source for row in rows}
    for news in changes.news if changes else ():
        if news.source in sources:
            yield Told(news=news, text=news.text_of(NEWEST), more=max(0, len(news.entries) - NEWEST))
