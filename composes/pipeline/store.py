"""Results by identity: made once for all processes of a host, whole or absent, the old and the least used evicted.

A result that somebody altered is made again: its files are as they were sealed, by names, owners, modes, sizes, times.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from chroots.engine.state import State, locked, locked_now
from debatomic.tools.files import write_json

RESULT = "result.json"
MOST_DAYS = 36_500.0


class ResultStore:
    """Folders below `<state>/composes`: `results/<identity>`, `work` for what runs now, `locks`."""

    def __init__(self, state: State) -> None:
        self.root = state.root / "composes"
        self.results = self.root / "results"
        self.work = self.root / "work"
        self.locks = self.root / "locks"
        for folder in (self.results, self.work, self.locks):
            folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def result(
        self, identity: str, make: Callable[[Path], dict[str, Any]], *, again: bool = False
    ) -> Iterator[tuple[Path, dict[str, Any], bool]]:
        """The folder of a result, its facts, and whether it was there already; kept from eviction inside the block.

        With `again` it is made even if it is there.
        """
        with (self.locks / identity).open("ab") as lock:
            reused = True
            if again:
                fcntl.flock(lock, fcntl.LOCK_EX)
                remove_tree(self.results / identity)
            fcntl.flock(lock, fcntl.LOCK_SH)
            while (facts := self._facts(identity, sealed=reused)) is None:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if self._facts(identity, sealed=True) is None:
                    self._make(identity, make)
                    reused = False
                fcntl.flock(lock, fcntl.LOCK_SH)
            os.utime(self.results / identity / RESULT)
            yield self.results / identity, facts, reused

    def has(self, identity: str) -> bool:
        """Whether this result is there now, as it was made."""
        return self._facts(identity, sealed=True) is not None

    def _facts(self, identity: str, *, sealed: bool = False) -> dict[str, Any] | None:
        """None where it is not there; with `sealed`, where it is not as it was made, too."""
        folder = self.results / identity
        try:
            content = json.loads((folder / RESULT).read_text())
            facts: dict[str, Any] = content["facts"]
            return None if sealed and content["seal"] != seal(folder) else facts
        except (FileNotFoundError, ValueError, KeyError):
            return None

    def _make(self, identity: str, make: Callable[[Path], dict[str, Any]]) -> None:
        with self.scratch() as folder:
            made = folder / "result"
            made.mkdir()
            facts = make(made)
            write_json(made / RESULT, {"facts": facts, "bytes": bytes_below(made), "seal": seal(made)})
            target = self.results / identity
            remove_tree(target)
            made.rename(target)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder that is gone after the block; if the process dies first, `sweep` takes it."""
        folder = self.work / f"run-{secrets.token_hex(6)}"
        with locked(self.locks / folder.name):  # first of all: a sweep never sees the folder without its lock
            folder.mkdir(mode=0o700)
            try:
                yield folder
            finally:
                remove_tree(folder)
                (self.locks / folder.name).unlink(missing_ok=True)

    def sweep(self) -> int:
        """Remove what dead processes left; how many folders that were."""
        swept = 0
        for folder in list(self.work.iterdir()):
            lock = self.locks / folder.name
            with locked_now(lock) as ours:
                if ours:
                    swept += folder.exists()  # or it came to its end meanwhile
                    remove_tree(folder)
                    lock.unlink(missing_ok=True)
        return swept

    def evict(self, limit: int, days: float = MOST_DAYS) -> list[str]:
        """Remove what was not used for so many days, and the least recently used results until all take at most
        `limit` bytes; none that is in use."""
        gone: list[str] = []
        oldest = time.time() - days * 86400
        entries = sorted((self._used(folder) for folder in self.results.iterdir()), key=lambda entry: entry[0])
        total = sum(size for _, size, _ in entries)
        for used_at, size, folder in entries:
            if total <= limit and used_at >= oldest:
                break
            with locked_now(self.locks / folder.name) as unused:
                if unused:
                    remove_tree(folder)
                    total -= size
                    gone.append(folder.name)
        return gone

    @staticmethod
    def _used(folder: Path) -> tuple[float, int, Path]:
        try:
            record = folder / RESULT
            return record.stat().st_mtime, int(json.loads(record.read_text())["bytes"]), folder
        except (OSError, ValueError, KeyError):
            return 0.0, bytes_below(folder), folder


def seal(folder: Path) -> str:
    """A digest of what every file and link below a folder looks like from outside, but for its `result.json`."""
    digest = hashlib.sha256()
    for top, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted((*names, *(each for each in folders if os.path.islink(f"{top}/{each}")))):  # noqa: PTH114
            path = os.path.join(top, name)  # noqa: PTH118 - tens of thousands of files
            if top != os.fspath(folder) or name != RESULT:
                digest.update(_looks(path[len(os.fspath(folder)) :], os.lstat(path)))
    return digest.hexdigest()


def _looks(name: str, status: os.stat_result) -> bytes:
    seen = (status.st_mode, status.st_uid, status.st_gid, status.st_size, status.st_mtime_ns)
    return f"{name}\0{seen}\n".encode(errors="surrogateescape")


def bytes_below(folder: Path) -> int:
    """Bytes on disk of everything below a folder, each hard link counted once."""
    seen: dict[int, int] = {}
    for top, folders, files in os.walk(folder):
        for name in (*folders, *files):
            with suppress(FileNotFoundError):  # it is being removed
                status = os.lstat(os.path.join(top, name))  # noqa: PTH118 - tens of thousands of files
                seen[status.st_ino] = status.st_blocks * 512
    return sum(seen.values())


def remove_tree(folder: Path) -> None:
    """Remove a folder and all below it, if it is there."""
    if folder.exists():
        shutil.rmtree(folder)


def open_log(path: Path) -> IO[bytes]:
    """A log file to append to, unbuffered: a reader sees each line when it is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("wb", buffering=0)
