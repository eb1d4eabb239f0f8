"""Paragraphs of Packages and Sources, of what packages and source packages say of themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from debian.deb822 import Deb822, Dsc

from builds.repository.shelf import Entry
from debatomic.tools.errors import InputError

NOT_THEIRS = ("filename", "size", "sha256", "sha1", "md5sum", "directory", "files", "checksums-sha256",
              "checksums-sha1", "checksums-md5", "package-list-sha256")  # fmt: skip
FIELD = re.compile(r"[!-9;-~]+")
LONGEST = 1 << 20  # characters


def control_of(text: str) -> str:
    """What a package's control file says, as one clean paragraph. Raises InputError for what is none."""
    if len(text) > LONGEST:
        raise InputError("The control file of this package is too long.")
    try:
        found = Deb822(text)
    except ValueError as error:
        raise InputError(f"The control file of this package is none: {error}") from error
    if not found.get("Package") or not found.get("Version") or not found.get("Architecture"):
        raise InputError("The control file of this package lacks its name, version or architecture.")
    return _paragraph((name, value) for name, value in found.items() if name.lower() not in NOT_THEIRS)


def binary(control: str, *, path: str, size: int, sha256: str) -> str:
    """The paragraph of Packages; `control` as `control_of` gives it."""
    return f"{control.rstrip()}\nFilename: {path}\nSize: {size}\nSHA256: {sha256}\n"


def source(dsc: str, *, folder: str, files: Iterable[Mapping[str, Any]], component: str) -> str:
    """The paragraph of Sources of this .dsc; `files` are {name, sha256, size}, the .dsc among them."""
    found = Dsc(dsc)
    listed = [(name, value) for name, value in found.items() if name.lower() not in (*NOT_THEIRS, "source")]
    sums = "".join(f"\n {each['sha256']} {each['size']} {each['name']}" for each in files)
    return _paragraph([
        ("Package", found["Source"]), *listed, ("Section", found.get("Section", component)), ("Directory", folder),
        ("Checksums-Sha256", sums),
    ])  # fmt: skip


def entries_of_binary(
    owner: str, *, paragraph: str, name: str, version: str, component: str, architectures: Iterable[str],
    contents: Iterable[str] = (), section: str = "",
) -> list[Entry]:  # fmt: skip
    """Its places: the Packages, and the Contents, of each of these architectures."""
    found = []
    for architecture in architectures:
        part = f"{component}/binary-{architecture}/Packages"
        found.append(Entry(part=part, name=name, rest=f"{version}\t{owner}", owner=owner, text=paragraph))
        listed = f"{component}/Contents-{architecture}"
        where = f"{section or 'misc'}/{name}"
        found += [Entry(part=listed, name=path, rest=owner, owner=owner, text=where) for path in contents]
    return found


def entry_of_source(owner: str, *, paragraph: str, name: str, version: str, component: str) -> Entry:
    return Entry(part=f"{component}/source/Sources", name=name, rest=f"{version}\t{owner}", owner=owner, text=paragraph)


def _paragraph(fields: Iterable[tuple[str, str]]) -> str:
    """Fields as text; an empty line would end the paragraph, so that none can be in it."""
    lines = []
    for name, value in fields:
        if not FIELD.fullmatch(name):
            continue
        first, *rest = str(value).split("\n")
        lines.append(f"{name}: {first.strip()}".rstrip())
        lines += [f" {line.strip()}" if line.strip() != "" else " ." for line in rest]
    return "\n".join(lines) + "\n"
