"""One change of a repository: entries in and out, indexes, a signed Release, and the switch of one link.

    DIR/dists -> current/dists        what clients of the repository read
    DIR/pool/…                        its packages
    DIR/current -> snapshots/ID       moved last, at once
    DIR/snapshots/ID/dists/SUITE/…    what it was at that time; unchanged files are shared with the one before
    DIR/snapshots/ID/pool -> ../../pool
    DIR/.state/shelf.db               what the next change needs, and no client

A client that has read one Release finds its indexes by their content for hours after the next (`by-hash`).
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import zstandard

from builds.repository.blocks import xz_stream
from builds.repository.clock import Clock
from builds.repository.pdiffs import Patching
from builds.repository.release import release
from builds.repository.shelf import Entry, Piece, Shelf, is_contents
from builds.repository.spec import SNAPSHOT, File, Spec, pooled
from debatomic.tools.errors import InputError
from debatomic.tools.files import link_or_copy

BY_HASH_SECONDS = 6 * 3600  # a client that read an older Release is done by then
CURRENT = "current"
COMPRESSED = (".xz", ".zst")
PATCHES = (".diff/Index", ".gz")
DATE = "%Y%m%dT%H%M%SZ"


class Signs(Protocol):
    """Who signs: by every key there is, so that clients that know either are content."""

    def signed_release(self, text: bytes) -> tuple[bytes, bytes]:
        """InRelease and Release.gpg of a Release file."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What to do: from the snapshot `base` (empty: from nothing, whatever is there) to the snapshot `name`."""

    name: str
    base: str
    spec: Spec
    add: Sequence[Entry] = ()
    remove: Sequence[str] = ()  # owners
    files: Sequence[File] = ()

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Change:
        """Raises InputError for what is no change."""
        return cls(
            name=cls.checked(said["name"]), base=said["base"] and cls.checked(said["base"]),
            spec=Spec.read(said["spec"]),
            add=[Entry(**each) for each in said.get("add", ())], remove=list(said.get("remove", ())),
            files=[File.read(each) for each in said.get("files", ())],
        )  # fmt: skip

    @staticmethod
    def checked(name: str) -> str:
        """The name of a snapshot. Raises InputError for what is none."""
        if not SNAPSHOT.fullmatch(name):
            raise InputError(f"{name[:40]!r} is no snapshot; they are such as 20261122T013000Z.")
        return name


class Repository:
    """A folder that is, or will be, a repository. One process at a time may change it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def current(self) -> str:
        """The snapshot that clients read; empty before the first."""
        try:
            return (self.folder / CURRENT).readlink().name
        except FileNotFoundError:
            return ""

    def change(self, wanted: Change, signer: Signs, place: Callable[[str], Path]) -> dict[str, Any]:
        """Make the snapshot and switch to it; `place` tells where content lies that the pool lacks.

        What it returns: name, entries by index, bytes of the indexes, digest of Release, seconds by step.
        Raises InputError where the repository is at another snapshot than `wanted.base`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        shelf = Shelf(self.folder / ".state" / "shelf.db")
        try:
            if shelf.fact("name") == wanted.name and self._snapshot(wanted.name).is_dir():  # made, but not switched to
                self._switch(wanted.name)
                return dict(json.loads(shelf.fact("told")))
            with shelf.kept():
                told = self._made(wanted, shelf, signer, place)
                shelf.note("name", wanted.name)
                shelf.note("told", json.dumps(told))
            self._switch(wanted.name)
        finally:
            shelf.close()
        return told

    def prune(self, snapshots: Iterable[str], paths: Iterable[str]) -> list[str]:
        """Remove snapshots, and the files of the pool that only they had; the snapshots that were there.

        Raises InputError, before anything is removed, where clients read one of them.
        """
        names = [Change.checked(name) for name in snapshots]
        if self.current in names:
            raise InputError(f"{self.current} is what clients read; it stays.")
        files = [pooled(path) for path in paths]
        there = [name for name in names if self._snapshot(name).is_dir()]
        for name in there:
            shutil.rmtree(self._snapshot(name))
        for path in files:
            (self.folder / path).unlink(missing_ok=True)
            with suppress(OSError):  # others are in it
                (self.folder / path).parent.rmdir()
        return there

    def _made(self, wanted: Change, shelf: Shelf, signer: Signs, place: Callable[[str], Path]) -> dict[str, Any]:
        clock = Clock()
        if wanted.base and shelf.fact("name") != wanted.base:
            raise InputError(f"The repository is at {shelf.fact('name') or 'no snapshot'}, not at {wanted.base}.",
                             hint="Have it made anew.")  # fmt: skip
        if not wanted.base:
            shelf.clear()
        self._fill_pool(wanted.files, place)
        clock.took("pool")
        shelf.remove(wanted.remove)
        shelf.put(wanted.add)
        clock.took("entries")
        new = self.folder / ".state" / wanted.name
        shutil.rmtree(new, ignore_errors=True)
        suite = new / "dists" / wanted.spec.suite
        digests = self._write_indexes(suite, wanted, shelf)
        clock.took("indexes")
        made_at = datetime.strptime(wanted.name, DATE).replace(tzinfo=UTC)
        text = release(wanted.spec, made_at, digests).encode()
        clear, detached = signer.signed_release(text)
        for name, content in {"Release": text, "InRelease": clear, "Release.gpg": detached}.items():
            (suite / name).write_bytes(content)
            os.utime(suite / name, (made_at.timestamp(),) * 2)  # clients ask by it, and no two snapshots share a second
        clock.took("signatures")
        if wanted.spec.codename != wanted.spec.suite:
            (suite.parent / wanted.spec.codename).symlink_to(wanted.spec.suite)
        (new / "pool").symlink_to("../../pool")
        final = self._snapshot(wanted.name)
        final.parent.mkdir(exist_ok=True)
        shutil.rmtree(final, ignore_errors=True)  # of an attempt that ended before it was noted
        new.rename(final)
        return {
            "name": wanted.name, "release": sha256(text).hexdigest(),
            "bytes": sum(size for path, (_, size) in digests.items() if path.endswith(COMPRESSED)),
            "packages": shelf.count("Packages"), "sources": shelf.count("Sources"), "seconds": clock.seconds,
        }  # fmt: skip

    def _snapshot(self, name: str) -> Path:
        return self.folder / "snapshots" / name

    def _switch(self, name: str) -> None:
        """Clients read this snapshot from now on."""
        _point(self.folder / CURRENT, f"snapshots/{name}")
        _point(self.folder / "dists", f"{CURRENT}/dists")

    def _fill_pool(self, files: Iterable[File], place: Callable[[str], Path]) -> None:
        for file in files:
            target = self.folder / file.path
            if target.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            half = target.with_name(f".{target.name}")
            half.unlink(missing_ok=True)
            link_or_copy(place(file.sha256), half)
            half.rename(target)

    # Indexes

    def _write_indexes(self, suite: Path, wanted: Change, shelf: Shelf) -> dict[str, tuple[str, int]]:
        """All of them, in both compressions and by their content; (SHA-256, bytes) by path."""
        digests: dict[str, tuple[str, int]] = {}
        patches: dict[str, tuple[str, int]] = {}
        now = time.time()
        before = self._snapshot(self.current) / "dists" / suite.name
        patching = Patching(shelf, before, suite, wanted.name)
        if not wanted.spec.pdiffs:
            shelf.forget_patches()
        for part in sorted({*_parts(wanted.spec), *shelf.parts()}):
            patched = wanted.spec.pdiffs and not is_contents(part)
            files = shelf.files(part)
            if not (files and _share(before, suite, files)):
                files = _changed_index(suite, part, shelf, patching if patched else None)
            digests |= files
            if patched:
                patches |= patching.write(part, files[part])
        found = digests | patches
        for path, (digest, _) in found.items():
            if path.endswith((*COMPRESSED, *PATCHES)):  # what clients unpack is only told of
                shelf.name(os.path.dirname(path), digest, now)  # noqa: PTH120 - a path of the repository's
        _name_by_content(suite, before, found, shelf.names(now - BY_HASH_SECONDS))
        return digests | {path: content for path, content in patches.items() if path.endswith(PATCHES[0])}


def _parts(spec: Spec) -> Iterator[str]:
    """The indexes there must be, even if nothing is in them."""
    for component in spec.components:
        yield f"{component}/source/Sources"
        for architecture in spec.architectures:
            yield f"{component}/binary-{architecture}/Packages"


def _share(before: Path, suite: Path, files: Mapping[str, tuple[str, int]]) -> bool:
    """Take the files of an index that did not change from the snapshot before; False, and none, where one is gone."""
    written = [path for path in files if path.endswith(COMPRESSED)]  # what clients unpack is only told of
    if not all((before / path).is_file() for path in written):
        return False
    for path in written:
        (suite / path).parent.mkdir(parents=True, exist_ok=True)
        os.link(before / path, suite / path)
    return True


def _changed_index(suite: Path, part: str, shelf: Shelf, patching: Patching | None) -> dict[str, tuple[str, int]]:
    """Write an index that changed, and the patch for it; SHA-256 and bytes by path."""
    old, frames = shelf.before(part) if patching else (None, [])
    pieces = list(shelf.pieces(part))
    files = dict(_write_index(suite, part, pieces))
    shelf.note_files(part, files)
    if patching and old and old != files[part]:
        patching.add(part, old, frames, [piece.frame for piece in pieces])
    return files


def _write_index(suite: Path, part: str, pieces: Sequence[Piece]) -> Iterator[tuple[str, tuple[str, int]]]:
    """Write an index in both compressions: path, SHA-256 and bytes of each, and of what clients unpack."""
    unpack = zstandard.ZstdDecompressor().decompress
    whole, size = sha256(), 0
    for piece in pieces:
        whole.update(unpack(piece.frame))
        size += piece.block.size
    yield part, (whole.hexdigest(), size)
    (suite / part).parent.mkdir(parents=True, exist_ok=True)
    yield f"{part}.xz", _write(suite / f"{part}.xz", xz_stream(piece.block for piece in pieces))
    yield f"{part}.zst", _write(suite / f"{part}.zst", (piece.frame for piece in pieces))


def _name_by_content(
    suite: Path, before: Path, digests: Mapping[str, tuple[str, int]], names: Iterable[tuple[str, str]]
) -> None:
    """`by-hash/SHA256/DIGEST`: of the files just written, and of those that were current lately."""
    mine = {(os.path.dirname(path), digest): path for path, (digest, _) in digests.items()}  # noqa: PTH120
    for folder, digest in names:
        target = suite / folder / "by-hash" / "SHA256" / digest
        path = mine.get((folder, digest))
        known = suite / path if path else before / folder / "by-hash" / "SHA256" / digest
        if known.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(known, target)


def _write(path: Path, chunks: Iterable[bytes]) -> tuple[str, int]:
    digest, size = sha256(), 0
    with path.open("wb") as file:
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            file.write(chunk)
    return digest.hexdigest(), size


def _point(link: Path, target: str) -> None:
    """Make a symbolic link point there, at once: nobody sees it absent."""
    new = link.with_name(f".{link.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.rename(link)
