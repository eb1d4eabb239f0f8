"""What is named by text: files by their SHA-256, snapshots of repositories by their addresses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Set
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


Naming = Callable[[Set[tuple[str, str]], Set[str]], Named]
_namings: list[Naming] = []


def register_named(among: Naming) -> None:
    """Have an app above asked, too, which of these its rows name."""
    if among not in _namings:
        _namings.append(among)


def named(snapshots: Set[tuple[str, str]], contents: Set[str]) -> Named:
    """Those of these that live tasks or kept composes name: texts before rows, which texts become."""
    found: set[tuple[str, str]] = set()
    digests: set[str] = set()
    if snapshots or contents:
        for text in _texts():
            found |= snapshots & set(ADDRESS.findall(text))
            digests |= contents & set(DIGEST.findall(text))
        for among in _namings:
            more = among(snapshots - found, contents - digests)
            found, digests = found | more.snapshots, digests | more.contents
    return Named(frozenset(found), frozenset(digests))


def _texts() -> Iterator[str]:
    for request in Task.objects.live().order_by().values_list("request", flat=True).iterator():
        yield from local.texts(request)
    yield from registry.kept_texts()
