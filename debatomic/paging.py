"""Pages of long lists by key: no list counts its rows, and page 1,000 costs what page 1 costs.

Lists that are in memory are cut into slices by number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import QueryDict

M = TypeVar("M", bound=Model)
T = TypeVar("T")
PAGE_SIZE = 50
SLICE_SIZE = 100


@dataclass(frozen=True)
class Rows(Generic[M]):
    """Rows of one page, newest first; `newer` and `older` are the query strings of its neighbours, or empty."""

    rows: list[M]
    newer: str = ""
    older: str = ""

    @property
    def is_first(self) -> bool:
        return not self.newer


def page_of(queryset: QuerySet[M, M], query: QueryDict, *, size: int = PAGE_SIZE) -> Rows[M]:
    """The page that `?before=<id>` or `?after=<id>` asks for; the first one otherwise."""
    before, after = number_in(query, "before"), number_in(query, "after")
    if after:
        found = list(queryset.filter(pk__gt=after).order_by("pk")[: size + 1])
        if len(found) > size:
            rows = found[:size][::-1]
            return Rows(rows, _with(query, after=rows[0].pk), _with(query, before=rows[-1].pk))
    if before and not after:
        queryset = queryset.filter(pk__lt=before)
    found = list(queryset.order_by("-pk")[: size + 1])
    rows = found[:size]
    newer = _with(query, after=rows[0].pk if rows else before - 1) if before and not after else ""
    return Rows(rows, newer, _with(query, before=rows[-1].pk) if len(found) > size else "")


def number_in(query: Mapping[str, Any], name: str) -> int:
    """The id a query names; 0 where it names none."""
    value = str(query.get(name) or "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else 0


def _with(query: QueryDict, **cursor: int) -> str:
    copy = query.copy()
    for name in ("before", "after", "page"):
        copy.pop(name, None)
    copy.update({name: str(value) for name, value in cursor.items()})
    return "?" + copy.urlencode()


@dataclass(frozen=True)
class Slice(Generic[T]):
    """A part of a list that is in memory anyway; `previous` and `following` are the query strings of its neighbours."""

    rows: Sequence[T]
    first: int  # counted from 1
    total: int
    previous: str = ""
    following: str = ""

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1


def slice_of_rows(queryset: QuerySet[M, M], query: QueryDict, *, size: int = PAGE_SIZE) -> Slice[M]:
    """The same of some hundred rows that keep their own order, as hosts by name: their ids, and one slice of rows."""
    part = slice_of(list(queryset.values_list("pk", flat=True)), query, size=size)
    return replace(part, rows=list(queryset.filter(pk__in=part.rows)))


def slice_of(items: Sequence[T], query: QueryDict, *, size: int = SLICE_SIZE) -> Slice[T]:
    """The part that `?page=<number>` asks for; the first one otherwise."""
    pages = max(1, -(-len(items) // size))
    number = min(max(1, number_in(query, "page")), pages)
    begin = (number - 1) * size
    return Slice(
        items[begin : begin + size], begin + 1, len(items),
        _with(query, page=number - 1) if number > 1 else "", _with(query, page=number + 1) if number < pages else "",
    )  # fmt: skip
