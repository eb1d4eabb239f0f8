"""Which packages a base has: a JSON object of versions by package in the store of kept files, once per content.

A list of a thousand packages is some 30 KiB and read in a millisecond; rows would be a thousand per refresh.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from debian.debian_support import Version

from chroots.engine.sessions.packages import Changes, changes
from debatomic.tools.errors import ToolError
from hosts.kept import store

Packages = Mapping[str, str]


def is_kept(manifest: str) -> bool:
    return bool(manifest) and store.has(manifest)


@lru_cache(maxsize=64)
def packages(manifest: str) -> Packages:
    """Versions by package, sorted by name. Raises ToolError where the list is not kept any more."""
    try:
        with store.open(manifest) as file:
            found = json.load(file)
    except (FileNotFoundError, ValueError) as error:
        raise ToolError("The list of its packages is not kept any more.", hint="Refresh it.") from error
    return dict(sorted((str(name), str(version)) for name, version in found.items()))


def search(found: Packages, text: str) -> list[tuple[str, str]]:
    """The packages whose name has this text in it, with their versions; those that begin with it first."""
    wanted = text.strip().lower()
    fitting = [(name, version) for name, version in found.items() if wanted in name]
    return sorted(fitting, key=lambda one: (not one[0].startswith(wanted), one[0])) if wanted else fitting


def difference(before: str, after: str) -> Changes:
    """How the list `after` differs from `before`. Raises ToolError where one of them is not kept."""
    return changes(packages(before), packages(after))


@dataclass(frozen=True)
class Change:
    """A line of a difference: what became of a package, with its versions before and after (empty: not there)."""

    what: str  # added, removed, upgraded, downgraded
    name: str
    before: str
    after: str


def rows(found: Changes) -> list[Change]:
    """The difference by names: packages of another version, then added, then removed ones."""
    return [
        *(Change(_direction(*versions), name, *versions) for name, versions in sorted(found.upgraded.items())),
        *(Change("added", name, "", version) for name, version in sorted(found.added.items())),
        *(Change("removed", name, version, "") for name, version in sorted(found.removed.items())),
    ]


def _direction(before: str, after: str) -> str:
    try:
        return "downgraded" if Version(after) < Version(before) else "upgraded"
    except ValueError:  # no version that dpkg knows
        return "upgraded"
