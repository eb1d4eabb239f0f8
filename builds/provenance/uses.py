"""Where packages went beyond tags and repositories: apps above this one say so, registered here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Use:
    """One thing that has a package, for pages and the API; `kind` such as compose."""

    kind: str
    id: int
    name: str
    state: str
    page: str


Uses = Callable[[str, Any], list[Use]]  # of the package with this SHA-256, that this person may know of; newest first
_uses: list[Uses] = []


def register_uses(uses: Uses) -> None:
    """As hosts.registry.register is called."""
    if uses not in _uses:
        _uses.append(uses)


def uses_of(sha256: str, user: Any) -> list[Use]:
    return [use for uses in _uses for use in uses(sha256, user)]
