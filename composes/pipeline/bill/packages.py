"""What dpkg's records of a tree say is installed, joined with the digests of the lock."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from composes.pipeline.bill import licences
from composes.pipeline.packages.indexes import field, stanzas
from composes.pipeline.packages.lock import Lock

STATUS = "usr/lib/sysimage/dpkg/status"
DOCUMENTATION = "usr/share/doc"
SOURCE = re.compile(r"^(?P<name>[^ ()]+)(?: \((?P<version>[^)]+)\))?\Z")


@dataclass(frozen=True, kw_only=True, order=True)
class Installed:
    """One binary package: `licence` is an SPDX expression, empty where that is not sure; `sha256` of its .deb."""

    name: str
    version: str
    architecture: str
    source: str
    source_version: str
    homepage: str = ""
    licence: str = ""
    sha256: str = ""


def installed(root: Path) -> list[Installed]:
    """The packages of a tree, by name; to be called inside of it."""
    text = (root / STATUS).read_text(errors="replace")
    return sorted(_installed(stanza, root) for stanza in stanzas(text)
                  if field(stanza, "Status").endswith(" installed"))  # fmt: skip


def _installed(stanza: str, root: Path) -> Installed:
    name, version = field(stanza, "Package"), field(stanza, "Version")
    source = SOURCE.match(field(stanza, "Source"))
    return Installed(
        name=name, version=version, architecture=field(stanza, "Architecture"),
        source=source["name"] if source else name, source_version=(source and source["version"]) or version,
        homepage=field(stanza, "Homepage"), licence=licences.of(root / DOCUMENTATION / name / "copyright"),
    )  # fmt: skip


def digests(lock: Lock) -> dict[tuple[str, str, str], str]:
    """SHA-256 of the .deb by name, version and architecture."""
    return {(each.name, each.version, each.architecture): each.sha256 for each in lock.packages}


def with_digests(packages: Iterable[Installed], known: Mapping[tuple[str, str, str], str]) -> list[Installed]:
    return [Installed(**{**vars(each), "sha256": known.get((each.name, each.version, each.architecture), "")})
            for each in packages]  # fmt: skip


def purl(name: str, version: str, architecture: str, suite: str) -> str:
    """A package URL, as https://github.com/package-url/purl-spec says for type deb."""
    escaped = urllib.parse.quote(name, safe=""), urllib.parse.quote(version, safe=":")
    return f"pkg:deb/debian/{escaped[0]}@{escaped[1]}?arch={architecture}&distro={suite}"
