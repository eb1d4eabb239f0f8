"""The order in which the packages of a lock are installed: always the same, so that its beginning can be kept.

First what every Debian has, then what other packages need, last what none needs. It follows from names and
dependencies alone: a new version of a package leaves the order as it is, and what comes before it is not installed
again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from composes.pipeline.packages.indexes import base_names, field, stanzas

NAME = re.compile(r"^\s*([a-z0-9][a-z0-9+.-]+)")


@dataclass(frozen=True, kw_only=True)
class Step:
    """Packages installed together; `stanzas` are their paragraphs of a Packages list, sorted by name."""

    names: tuple[str, ...]
    stanzas: tuple[str, ...]

    @property
    def index(self) -> str:
        """A Packages list of these alone."""
        return "\n\n".join(self.stanzas) + "\n"


def steps(packages: str) -> list[Step]:
    """The steps for a Packages list of everything that is to be installed; empty ones are left out."""
    found = {field(each, "Package"): each.strip() for each in stanzas(packages) if field(each, "Package")}
    needs = _needs(found)
    base = _with_needed([name for name in base_names(packages) if name in found], needs)
    others = found.keys() - base
    needed = {need for name in others for need in needs[name]} & others
    return [Step(names=tuple(sorted(names)), stanzas=tuple(found[name] for name in sorted(names)))
            for names in (base, needed, others - needed) if names]  # fmt: skip


def _needs(found: Mapping[str, str]) -> dict[str, set[str]]:
    """What each package depends on, of all alternatives those that are here."""
    providers: dict[str, set[str]] = {name: {name} for name in found}
    for name, stanza in found.items():
        for virtual in _names(field(stanza, "Provides")):
            providers.setdefault(virtual, set()).add(name)
    return {name: {each for word in ("Pre-Depends", "Depends") for need in _names(field(stanza, word))
                   for each in providers.get(need, ()) if each != name}
            for name, stanza in found.items()}  # fmt: skip


def _names(relations: str) -> list[str]:
    return [match[1] for each in re.split(r"[,|]", relations) if (match := NAME.match(each))]


def _with_needed(names: Iterable[str], needs: Mapping[str, Collection[str]]) -> set[str]:
    done: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in done:
            done.add(name)
            waiting += needs[name]
    return done
