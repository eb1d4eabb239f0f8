"""How two trees differ in the packages they have installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What came, what went, and what has another version now (before, after): by package."""

    added: Mapping[str, str]
    removed: Mapping[str, str]
    upgraded: Mapping[str, tuple[str, str]]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.upgraded)

    def lines(self) -> list[str]:
        """One line per package, for people."""
        return [
            *(f"+ {name} {version}" for name, version in sorted(self.added.items())),
            *(f"- {name} {version}" for name, version in sorted(self.removed.items())),
            *(f"* {name} {before} -> {after}" for name, (before, after) in sorted(self.upgraded.items())),
        ]


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> Changes:
    """How `after` differs from `before`."""
    return Changes(
        added={name: version for name, version in after.items() if name not in before},
        removed={name: version for name, version in before.items() if name not in after},
        upgraded={name: (before[name], version) for name, version in after.items()
                  if before.get(name, version) != version},
    )  # fmt: skip
