"""The packages of a tree, by dpkg's own record of them."""

from __future__ import annotations

import re
from pathlib import Path

from composes.pipeline.contents.record import Installed
from composes.pipeline.packages.indexes import field, stanzas
from composes.pipeline.system.layout import SYSIMAGE

SOURCE = re.compile(r"^(\S+)(?: \((\S+)\))?$")


def read(root: Path) -> dict[str, Installed]:
    """The packages that are installed below `root`, by name."""
    text = (root / SYSIMAGE / "dpkg/status").read_text(errors="replace")
    return {field(each, "Package"): installed(each) for each in stanzas(text)
            if field(each, "Status").endswith(" installed")}  # fmt: skip


def installed(stanza: str) -> Installed:
    """One paragraph of dpkg's status; its Installed-Size is in KiB."""
    version, match = field(stanza, "Version"), SOURCE.match(field(stanza, "Source"))
    kib = field(stanza, "Installed-Size")
    return Installed(
        version=version, source=match[1] if match else field(stanza, "Package"),
        source_version=(match[2] if match else "") or without_rebuild(version),
        size=int(kib) * 1024 if kib.isdigit() else 0,
    )  # fmt: skip


def without_rebuild(version: str) -> str:
    """The source's version of a package that was only built again: 1.2-3 of 1.2-3+b1."""
    return re.sub(r"\+b\d+\Z", "", version)
