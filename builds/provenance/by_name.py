"""Pages of long lists in the order of a name: what comes after the last one, found by the index."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model, Q, QuerySet
from django.http import QueryDict

from debatomic.paging import PAGE_SIZE, Rows

M = TypeVar("M", bound=Model)
LAST = "\U0010ffff"


def begins(field: str, text: str) -> Q:
    """Values that begin so. SQLite's LIKE looks at every row: there the bounds say the same to its index."""
    if not text:
        return Q()
    if connection.vendor == "sqlite":
        return Q(**{f"{field}__gte": text, f"{field}__lt": text + LAST})
    return Q(**{f"{field}__startswith": text})


def named_page(queryset: QuerySet[M, M], query: QueryDict, field: str = "name", *, size: int = PAGE_SIZE) -> Rows[M]:
    """The page that `?after=<name>` or `?before=<name>` asks for; `newer` is the one before, `older` the next."""
    after, before = query.get("after", ""), query.get("before", "")
    if before:
        found = list(queryset.filter(**{f"{field}__lt": before}).order_by(f"-{field}")[: size + 1])
        rows, more = found[:size][::-1], len(found) > size
        return Rows(rows, _turn(query, before=_of(rows, 0, field)) if more else "",
                    _turn(query, after=_of(rows, -1, field)) if rows else "?")  # fmt: skip
    wanted = queryset.filter(**{f"{field}__gt": after}) if after else queryset
    found = list(wanted.order_by(field)[: size + 1])
    rows = found[:size]
    back = _turn(query, before=_of(rows, 0, field) or after + LAST) if after else ""
    return Rows(rows, back, _turn(query, after=_of(rows, -1, field)) if len(found) > size else "")


def _of(rows: list[Any], position: int, field: str) -> str:
    return str(getattr(rows[position], field)) if rows else ""


def _turn(query: QueryDict, **cursor: str) -> str:
    copy = query.copy()
    for name in ("after", "before", "page"):
        copy.pop(name, None)
    copy.update(cursor)
    return "?" + copy.urlencode()
