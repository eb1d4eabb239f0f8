"""Where the engine keeps things on a host: one folder, and the locks that let many processes share it."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from debatomic.tools.errors import InputError
from debatomic.tools.run import run

NEW = ".new-"  # a folder one living process works in; its lock says whether that process lives
DEAD = ".dead-"  # a folder nobody has any more, about to be removed
LOCK = ".lock"
PRIVATE = 0o700  # of folders with trees in them: set-uid programs of a chroot are not for this host's users
LEFTOVERS = ".leftovers.json"


@dataclass(frozen=True)
class State:
    """The folders below one root. All but `kept` can be made again; `work` holds only what runs right now."""

    root: Path

    def __post_init__(self) -> None:
        if set(":,\\\"'\n") & set(os.fspath(self.root)):
            raise InputError(f"The state folder {self.root} has a character in its name that mount does not take.",
                             hint="Choose another with --state or DEBATOMIC_HOME.")  # fmt: skip

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
    def kept(self) -> Path:
        """Writable layers people asked to keep: `CHROOT/NAME`."""
        return self.root / "kept"

    @property
    def files(self) -> Path:
        """Downloaded files by their SHA-256."""
        return self.root / "files"

    @property
    def ccache(self) -> Path:
        """Compiler caches: `CHROOT-KEY/SOURCE/TIME`."""
        return self.root / "ccache"

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def locks(self) -> Path:
        return self.root / "locks"


@contextmanager
def locked(path: Path, *, shared: bool = False, make: bool = True) -> Iterator[None]:
    """Hold the lock file `path`; it is free again when the block, or the process, ends.

    Its folder is made when absent, unless `make` says no: then FileNotFoundError is raised.
    """
    if make:
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


def taken(held: ExitStack, path: Path) -> bool:
    """Take the lock `path` if nobody holds it, until `held` is left; whether it was taken."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as attempt:
        ours = attempt.enter_context(locked_now(path))
        if ours:
            held.enter_context(attempt.pop_all())
        return ours


@contextmanager
def temporary(parent: Path) -> Iterator[Path]:
    """A new folder below `parent` that is ours while the block runs; if we die, `sweep` knows and removes it."""
    with ExitStack() as undo:
        with locked(parent / LOCK):  # so that a sweep never sees the folder without its lock
            parent.chmod(PRIVATE)
            folder = parent / f"{NEW}{secrets.token_hex(6)}"
            folder.mkdir()
            undo.callback(remove_tree, folder)
            undo.enter_context(locked(folder / LOCK))
        yield folder


def remember(folder: Path, leftovers: Sequence[Path]) -> None:
    """Note in a `temporary` folder what else must go when its process died: folders, or control groups."""
    temporary_name = folder / f"{LEFTOVERS}.new"
    temporary_name.write_text(json.dumps([os.fspath(path) for path in leftovers]))
    temporary_name.rename(folder / LEFTOVERS)


def remove_tree(folder: Path) -> None:
    """Remove a folder with all in it, even while something that dies is still writing there."""
    for _ in range(20):
        try:
            shutil.rmtree(folder, ignore_errors=True)
        except RecursionError:  # folders in folders, thousands deep; rm walks them without calling itself
            run(["rm", "--recursive", "--force", "--one-file-system", "--", os.fspath(folder)], check=False)
        if not os.path.lexists(folder):
            return
    shutil.rmtree(folder)


def discard(folder: Path) -> None:
    """Remove a folder that others may look for: it is gone at once, and if we die now a sweep removes the rest."""
    dead = folder.with_name(f"{DEAD}{folder.name}-{secrets.token_hex(4)}")
    folder.rename(dead)
    remove_tree(dead)


def directory_size(folder: Path) -> int:
    """Bytes on disk of all that is below, each file counted once; however deep, and while it is being written."""
    command = ["du", "--summarize", "--one-file-system", "--block-size=1", "--", os.fspath(folder)]
    told = run(command, capture=True, check=False).stdout  # with complaints about what went meanwhile
    return max((int(line.split()[0]) for line in told.splitlines() if line[:1].isdigit()), default=0)
