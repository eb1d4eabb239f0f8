"""How the relations of a package to others changed, by two of its control paragraphs."""

from __future__ import annotations

from dataclasses import dataclass

from debian.deb822 import Deb822

FIELDS = ("Pre-Depends", "Depends", "Recommends", "Suggests", "Enhances", "Breaks", "Conflicts", "Replaces", "Provides",
          "Built-Using", "Static-Built-Using")  # fmt: skip
OWN = "(= its own version)"
LONGEST = 1 << 20  # characters of a paragraph


@dataclass(frozen=True)
class Relation:
    """One relation of a field, before and after; empty: it was not there."""

    field: str
    before: str
    after: str


def changed(before: str, after: str) -> list[Relation]:
    """The relations that differ, by field; one that only follows the package's own version does not."""
    old, new = _paragraph(before), _paragraph(after)
    found = []
    for field in FIELDS:
        was, now = _named(old, field), _named(new, field)
        names = dict.fromkeys((*now, *was))
        found += [Relation(field, ", ".join(was.get(name, [])), ", ".join(now.get(name, []))) for name in names
                  if was.get(name) != now.get(name)]  # fmt: skip
    return found


def _paragraph(text: str) -> Deb822:
    try:
        return Deb822(text[:LONGEST])
    except ValueError:
        return Deb822()


def _named(paragraph: Deb822, field: str) -> dict[str, list[str]]:
    """The relations of a field by the package they begin with, sorted."""
    own = f"(= {paragraph.get('Version', '?')})"
    found: dict[str, list[str]] = {}
    for each in str(paragraph.get(field, "")).split(","):
        if relation := " ".join(each.split()).replace(own, OWN):
            found.setdefault(relation.split()[0], []).append(relation)
    return {name: sorted(relations) for name, relations in found.items()}
