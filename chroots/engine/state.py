"""Where the engine keeps things on a host: one folder, and the locks that let many processes share it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class State:
    """The folders below one root. Everything in it can be made again; `work` holds only what runs right now."""

    root: Path

    @classmethod
    def default(cls) -> State:
        """`$DEBATOMIC_HOME/host`, or `var/host` below the current folder."""
        return cls((Path(os.environ.get("DEBATOMIC_HOME") or "var") / "host").absolute())

    @property
    def archive(self) -> Path:
        return self.root / "archive"

    @property
    def bases(self) -> Path:
        return self.root / "bases"

    @property
    def layers(self) -> Path:
        return self.root / "layers"

    @property
    def files(self) -> Path:
        """Downloaded files by their SHA-256."""
        return self.root / "files"

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def locks(self) -> Path:
        return self.root / "locks"


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock file `path` (made when absent); it is free again when the block, or the process, ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


@contextmanager
def locked_now(path: Path) -> Iterator[bool]:
    """The lock `path` if nobody holds it: True inside the block, or False at once."""
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
