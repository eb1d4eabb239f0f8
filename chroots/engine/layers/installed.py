"""Which packages a tree has installed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from chroots.engine.isolation.inside import opened

STATUS = "var/lib/dpkg/status"


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


def installed_inside(root: Path) -> dict[str, str]:
    """The same in a tree that its packages may have changed: no link leads out of it, nothing in it makes us wait."""
    with opened(root, STATUS, os.O_RDONLY | os.O_NONBLOCK) as fd, open(fd, errors="replace", closefd=False) as file:
        return installed(file.read())
