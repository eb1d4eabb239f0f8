"""What is named by text: files by their SHA-256, snapshots of repositories by their addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass

from hosts import registry
from hosts.builder import local
from hosts.models import Task

ADDRESS = re.compile(r"/repositories/([-\w]+)/snapshots/(\d{8}T\d{6}Z)")
DIGEST = re.compile(r"\b[0-9a-f]{64}\b")


@dataclass(frozen=True)
class Named:
    """(suite, name) of snapshots, and SHA-256."""

    snapshots: frozenset[tuple[str, str]]
    contents: frozenset[str]


def named(snapshots: Set[tuple[str, str]], contents: Set[str]) -> Named:
    """Those of these that live tasks or kept composes name."""
    found: set[tuple[str, str]] = set()
    digests: set[str] = set()
    if snapshots or contents:
        for text in _texts():
            found |= snapshots & set(ADDRESS.findall(text))
            digests |= contents & set(DIGEST.findall(text))
    return Named(frozenset(found), frozenset(digests))


def _texts() -> Iterator[str]:
    for request in Task.objects.live().order_by().values_list("request", flat=True).iterator():
        yield from local.texts(request)
    yield from registry.kept_texts()
