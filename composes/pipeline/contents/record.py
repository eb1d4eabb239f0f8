"""The record of what a compose contains, as a file that travels with it."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from composes.pipeline.contents.changelogs import Entry
from composes.pipeline.contents.defaults import Default
from debatomic.tools.errors import InputError

FORMAT = 1
NAME = "contents.json.gz"
OBJECTS = "objects.txt.gz"
UNPACKED_BYTES = 256 << 20


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A package as dpkg knows it in the tree: `size` is bytes on disk by its own word."""

    version: str
    source: str
    source_version: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Packages by name, changelogs (newest entries first) by source package, defaults by path below /etc."""

    architecture: str
    packages: Mapping[str, Installed]
    changelogs: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)
    etc: Mapping[str, Default] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all packages, installed."""
        return sum(each.size for each in self.packages.values())

    def write(self, path: Path) -> None:
        content = json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True, separators=(",", ":"))
        path.write_bytes(gzip.compress(content.encode(), 6, mtime=0))


def unpacked(path: Path) -> bytes:
    """What a compressed file holds. Raises InputError for one that is broken, or that grows beyond all measure."""
    try:
        with gzip.open(path) as file:
            content = file.read(UNPACKED_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path.name} cannot be read: {error}.") from error
    if len(content) > UNPACKED_BYTES:
        raise InputError(f"{path.name} is larger than any record of a compose.")
    return content


def read(path: Path) -> Contents:
    """The record in a file. Raises InputError for one that is none, or of another version."""
    try:
        content = json.loads(unpacked(path))
        if content["format"] != FORMAT:
            raise ValueError(f"it is of version {content['format']}")
        return Contents(
            architecture=str(content["architecture"]),
            packages={name: Installed(**each) for name, each in content["packages"].items()},
            changelogs={name: tuple(map(_entry, each)) for name, each in content["changelogs"].items()},
            etc={name: Default(**each) for name, each in content["etc"].items()},
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path.name} is not a record of a compose of this version: {error}.") from error


def _entry(content: dict[str, Any]) -> Entry:
    return Entry(**{**content, "changes": tuple(content["changes"])})
