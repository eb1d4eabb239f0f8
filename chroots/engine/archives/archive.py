"""A Debian archive as its client: a source package's name becomes files whose signature chain was followed.

InRelease (signed) lists the Sources index by SHA-256, which lists the files of each source package by SHA-256.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from debian.debian_support import Version

from chroots.engine.archives.fetch import Missing, RemoteFile, Store
from chroots.engine.archives.mirror import default_mirror
from chroots.engine.archives.release import Release, fetch_release, stored_index
from chroots.engine.archives.sources_index import (
    Entry,
    lookup,
    made_from,
    matching_names,
    near_names,
    needing,
    parse_sources,
    write_index,
)
from chroots.engine.spec import DEBIAN_KEYRING
from chroots.engine.state import State, locked, locked_now
from debatomic.tools.errors import InputError

FORMAT = "2"  # of the index
MAX_AGE = 900.0  # seconds until InRelease is asked for again
NOT_WAITED = 3600.0  # seconds an index may be older while it is being renewed


@dataclass(frozen=True, kw_only=True)
class SourcePackage:
    """One version of a source package in the archive."""

    name: str
    version: str
    component: str
    architectures: tuple[str, ...]  # as its .dsc has them: any, all, linux-any, amd64 ...
    files: tuple[RemoteFile, ...]

    @property
    def dsc(self) -> RemoteFile:
        return next(file for file in self.files if file.name.endswith(".dsc"))


class Archive:
    """The source packages of one suite, from an index on disk that is renewed when InRelease changed.

    Any number of processes may use it at once. With a warm index `find` takes a few milliseconds.
    """

    def __init__(
        self,
        suite: str,
        state: State,
        *,
        mirror: str = "",
        components: Sequence[str] = ("main",),
        keyring: Path = DEBIAN_KEYRING,
        max_age: float = MAX_AGE,
        check_valid_until: bool = True,
    ) -> None:
        self.suite = suite
        self.mirror = mirror.rstrip("/") or default_mirror()
        self.components = tuple(components)
        self.keyring = keyring
        self.max_age = max_age
        self.check_valid_until = check_valid_until
        self.store = Store(state.files)
        identity = "\n".join([FORMAT, self.mirror, suite, *self.components, os.fspath(keyring)])
        self.index = state.archive / f"{suite}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.sqlite"

    def find(self, name: str, version: str | None = None) -> SourcePackage:
        """The newest version of a source package, or exactly this one.

        Raises: InputError naming near names or the versions there are; InfrastructureError without network.
        """
        self.refresh()
        entries = sorted(lookup(self.index, name), key=lambda entry: Version(entry.version))
        if not entries:
            raise self._unknown(name)
        found = entries if not version else [entry for entry in entries if entry.version == version]
        if not found:
            known = ", ".join(entry.version for entry in entries)
            raise InputError(f"{self.suite} has no version {version} of {name}; it has {known}.")
        return self._package(found[-1])

    def matching(self, pattern: str) -> list[str]:
        """The names of all source packages that a pattern (`lib*-perl`) fits, in order; empty if none."""
        self.refresh()
        return matching_names(self.index, pattern)

    def needing(self, package: str, *, indep: bool = True) -> list[str]:
        """The names of all source packages that build-depend on a binary package, or on any of `src:NAME`, in order.

        Raises InputError for a source package that is not there; see `sources_index.needing`.
        """
        self.refresh()
        name = package.removeprefix("src:")
        if name == package:
            return needing(self.index, [package], indep=indep)
        entries = lookup(self.index, name)
        if not entries:
            raise self._unknown(name)
        made = {binary for entry in entries for binary in entry.binaries}
        return [each for each in needing(self.index, made, indep=indep) if each != name]

    def _unknown(self, name: str) -> InputError:
        near = near_names(self.index, name)
        meant = f"Did you mean {' or '.join(near)}?" if near else "Is it a binary package's name?"
        where = f"{self.suite} ({', '.join(self.components)})"
        return InputError(f"There is no source package '{name}' in {where}.", hint=meant)

    def _package(self, entry: Entry) -> SourcePackage:
        folder = f"{self.mirror}/{entry.directory}"
        files = tuple(RemoteFile(name=name, url=f"{folder}/{name}", size=size, sha256=sha256)
                      for name, size, sha256 in entry.files)  # fmt: skip
        return SourcePackage(name=entry.name, version=entry.version, component=entry.component,
                             architectures=entry.architectures, files=files)  # fmt: skip

    def download(self, package: SourcePackage, done: Callable[[int], object] = lambda count: None) -> list[Path]:
        """The verified files of a source package, in the order of `package.files`."""
        with self._lacking(package):
            return self.store.get_all(package.files, done)

    def require_files(self, package: SourcePackage) -> None:
        """Ask the mirror whether it has the files, without fetching them: to refuse at submit what cannot be built."""
        with self._lacking(package):
            self.store.require_all(package.files)

    @contextmanager
    def _lacking(self, package: SourcePackage) -> Iterator[None]:
        try:
            yield
        except Missing as error:
            absent = next(file for file in package.files if file.url in str(error))
            raise InputError(
                f"The archive lists {absent.name} but answers 404 for it: this mirror lacks the file.",
                hint=f"Try another mirror than {self.mirror}, or upload the source package.",
            ) from error

    def refresh(self, *, max_age: float | None = None) -> None:
        """Make the index current, unless that was asked less than `max_age` seconds ago."""
        limit = self.max_age if max_age is None else max_age
        if self._age() <= limit:
            return
        lock = self.index.with_suffix(".lock")
        lock.parent.mkdir(parents=True, exist_ok=True)
        with locked_now(lock) as ours:
            if ours:
                self._renew_if_older(limit)
                return
        if self._age() > limit + NOT_WAITED:  # else the old index serves while somebody makes the new one
            with locked(lock):
                self._renew_if_older(limit)

    def _renew_if_older(self, limit: float) -> None:
        if self._age() > limit:
            self._renew(self.release())

    def release(self) -> Release:
        """The suite's InRelease, fetched and verified now."""
        return fetch_release(self.mirror, self.suite, self.keyring, check_valid_until=self.check_valid_until)

    def _age(self) -> float:
        try:
            return time.time() - self.index.stat().st_mtime
        except FileNotFoundError:
            return float("inf")

    def _renew(self, release: Release) -> None:
        indexes = {component: self._sources_file(release, component) for component in self.components}
        sources = " ".join(file.sha256 for file in indexes.values())
        if made_from(self.index)[1] == sources:
            os.utime(self.index)
        else:
            write_index(self.index, self._entries(release, indexes), release=release.digest, sources=sources)

    def _sources_file(self, release: Release, component: str) -> RemoteFile:
        path = f"{component}/source/Sources.xz"
        if path not in release.files:
            raise InputError(f"{release.url} lists no {path}: the suite {self.suite} has no component '{component}'.")
        sha256, size = release.files[path]
        return RemoteFile(name=path, url=f"{self.mirror}/dists/{self.suite}/{path}", size=size, sha256=sha256)

    def _entries(self, release: Release, indexes: dict[str, RemoteFile]) -> Iterator[Entry]:
        for component, file in indexes.items():
            stored = stored_index(release, file, self.store)
            yield from parse_sources(lzma.decompress(stored.read_bytes()).decode(errors="replace"), component)
