"""What kind a built package is of: its control fields and what is in it say so, not the name of its file."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from debian.deb822 import Deb822

from chroots.engine.archives import debfile

FIELD, SYMBOLS = "Auto-Built-Package", "debug-symbols"  # as debhelper has it
PLACES = ("usr/lib/debug/", "usr/share/doc/")


@cache
def is_debugging(deb: Path) -> bool:
    """Whether it says it has debugging symbols, and has nothing else. Raises: InputError for what is no package."""
    if Deb822(debfile.control(deb)).get(FIELD) != SYMBOLS:
        return False
    return all(path.startswith(PLACES) for path in debfile.files(deb))
