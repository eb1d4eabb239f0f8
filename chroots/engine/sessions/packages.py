"""Which packages a tree has installed, and how two trees differ in that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

STATUS = "var/lib/dpkg/status"


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


def installed(status: str) -> dict[str, str]:
    """Versions by package, from the text of dpkg's status file; a foreign one is called `name:architecture`."""
    paragraphs = [_fields(text) for text in status.split("\n\n") if text.strip()]
    here = next((fields["Architecture"] for fields in paragraphs if fields.get("Package") == "dpkg"), "")
    return {
        _name(fields, here): fields["Version"]
        for fields in paragraphs
        if fields.get("Status", "").endswith(" ok installed") and "Version" in fields and "Package" in fields
    }


def _fields(paragraph: str) -> dict[str, str]:
    lines = (line.partition(":") for line in paragraph.splitlines() if not line.startswith((" ", "\t")))
    return {name: value.strip() for name, _, value in lines}


def _name(fields: Mapping[str, str], here: str) -> str:
    architecture = fields.get("Architecture", "")
    return fields["Package"] if architecture in ("", "all", here) else f"{fields['Package']}:{architecture}"


def installed_in(tree: Path) -> dict[str, str]:
    """Versions by package in a base's tree."""
    return installed((tree / STATUS).read_text(errors="replace"))


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> Changes:
    """How `after` differs from `before`."""
    return Changes(
        added={name: version for name, version in after.items() if name not in before},
        removed={name: version for name, version in before.items() if name not in after},
        upgraded={name: (before[name], version) for name, version in after.items()
                  if before.get(name, version) != version},
    )  # fmt: skip
