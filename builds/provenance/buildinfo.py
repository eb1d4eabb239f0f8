"""What a .buildinfo says of the buildroot; it is a build's own word, so nothing is taken from it but names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

INSTALLED = re.compile(r"([a-z0-9][a-z0-9+.-]{1,99})(?::([a-z0-9-]{1,20}))? \(= ([A-Za-z0-9.+:~-]{1,100})\)")
MOST_BYTES = 4 << 20
MOST = 5_000  # packages: no buildroot has so many


@dataclass(frozen=True)
class Installed:
    """A package of the buildroot; `architecture` where it is another than the build's."""

    name: str
    version: str
    architecture: str = ""


def installed(text: str) -> list[Installed]:
    """The packages of Installed-Build-Depends, by name."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("Installed-Build-Depends:"):
            found = [line.partition(":")[2]]
            for more in lines:
                if not more.startswith(" "):
                    break
                found.append(more)
            each = (INSTALLED.fullmatch(entry.strip()) for entry in " ".join(found).split(","))
            told = (Installed(one[1], one[3], one[2] or "") for one in each if one)
            return sorted(islice(told, MOST), key=lambda one: one.name)
    return []
