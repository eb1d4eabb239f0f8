"""The newest entries of Debian changelogs, read from package files without unpacking them."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from debian.changelog import Changelog, ChangelogParseError

from chroots.engine.archives.debfile import DAMAGED, part
from chroots.engine.archives.fetch import Store
from composes.pipeline.packages.lock import Package

ENTRIES = 20  # of one source package, at most
LINES = 60  # of one entry
LINE_CHARACTERS = 300
READ_BYTES = 1 << 18  # of one changelog, unpacked: the newest entries come first
UNPACKED_BYTES = 2 << 30  # of one package file: what comes later in it is not looked for
PARALLEL = 4


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry: `changes` are its lines, without blank ones around them; `date` is as the changelog writes it."""

    version: str
    date: str
    author: str
    changes: tuple[str, ...]


def of_sources(packages: Iterable[Package], store: Store) -> dict[str, tuple[Entry, ...]]:
    """The newest entries by source package, newest first; a source whose packages carry no changelog is left out."""
    by_source: dict[str, list[Package]] = {}
    for package in sorted(packages, key=lambda each: (each.size, each.name)):
        by_source.setdefault(package.source, []).append(package)
    with ThreadPoolExecutor(PARALLEL) as pool:
        found = pool.map(lambda mine: _of_any(mine, store), by_source.values())
        return {source: entries for source, entries in zip(by_source, found, strict=True) if entries}


def _of_any(packages: Iterable[Package], store: Store) -> tuple[Entry, ...]:
    """Of the smallest package that has it: others of the source often only link to that one's documentation."""
    return next((entries for each in packages if (entries := of_package(store.path(each.sha256), each.name))), ())


def of_package(deb: Path, name: str) -> tuple[Entry, ...]:
    """The newest entries of the package file of this name; none where it has no changelog that can be read."""
    try:
        with deb.open("rb") as file:
            text = _text(file, name)
    except DAMAGED:
        return ()
    return entries(text)


def _text(file: BinaryIO, name: str) -> str:
    """The beginning of its Debian changelog; a native package has only one."""
    wanted = [f"usr/share/doc/{name}/{each}" for each in ("changelog.Debian.gz", "changelog.gz")]
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=part(file, "data.tar"), mode="r|") as tar:
        for member in tar:
            path = member.name.removeprefix("./")
            if path in wanted and member.isfile() and (content := tar.extractfile(member)):
                found[path] = gzip.GzipFile(fileobj=content).read(READ_BYTES)
            if wanted[0] in found or member.offset > UNPACKED_BYTES:
                break
    return next((found[path].decode(errors="replace") for path in wanted if path in found), "")


def entries(text: str) -> tuple[Entry, ...]:
    """The newest entries of a changelog's text; one that is cut off is left out."""
    last = text.rfind("\n -- ")
    if last < 0:
        return ()
    try:
        blocks: list[Any] = list(Changelog(text[:last] + text[last:].partition("\n\n")[0] + "\n", max_blocks=ENTRIES))
    except (ChangelogParseError, ValueError):
        return ()
    return tuple(_entry(each) for each in blocks if each.date)


def _entry(block: Any) -> Entry:
    lines = [str(line)[:LINE_CHARACTERS].rstrip() for line in block.changes()]
    shown = [line for line in lines if line][:LINES]
    return Entry(version=str(block.version), date=str(block.date), author=str(block.author), changes=tuple(shown))
