"""Results by identity: made once for all processes of a host, whole or absent, the least used evicted."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from chroots.engine.state import State, locked_now
from debatomic.tools.files import write_json

RESULT = "result.json"


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
            while (facts := self._facts(identity)) is None:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if self._facts(identity) is None:
                    self._make(identity, make)
                    reused = False
                fcntl.flock(lock, fcntl.LOCK_SH)
            os.utime(self.results / identity / RESULT)
            yield self.results / identity, facts, reused

    def has(self, identity: str) -> bool:
        """Whether this result is there now."""
        return self._facts(identity) is not None

    def _facts(self, identity: str) -> dict[str, Any] | None:
        try:
            content = json.loads((self.results / identity / RESULT).read_text())
        except (FileNotFoundError, ValueError):
            return None
        facts: dict[str, Any] = content["facts"]
        return facts

    def _make(self, identity: str, make: Callable[[Path], dict[str, Any]]) -> None:
        with self.scratch() as folder:
            made = folder / "result"
            made.mkdir()
            facts = make(made)
            write_json(made / RESULT, {"facts": facts, "bytes": bytes_below(made)})
            target = self.results / identity
            remove_tree(target)
            made.rename(target)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder that is gone after the block; if the process dies first, `sweep` takes it."""
        folder = Path(tempfile.mkdtemp(dir=self.work, prefix="run-"))
        with (self.locks / folder.name).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
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
                    remove_tree(folder)
                    lock.unlink(missing_ok=True)
                    swept += 1
        return swept

    def evict(self, limit: int) -> list[str]:
        """Remove the least recently used results that nobody uses until all take at most `limit` bytes."""
        gone: list[str] = []
        entries = sorted((self._used(folder) for folder in self.results.iterdir()), key=lambda entry: entry[0])
        total = sum(size for _, size, _ in entries)
        for _, size, folder in entries:
            if total <= limit:
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


def bytes_below(folder: Path) -> int:
    """Bytes on disk of everything below a folder, each hard link counted once."""
    seen: dict[int, int] = {}
    for top, folders, files in os.walk(folder):
        for name in (*folders, *files):
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
