"""No process outlives the one that made it: the kernel kills it then (PR_SET_PDEATHSIG), whatever killed the parent."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)
_forking_pid = 0


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; ends at once if that has happened already."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def tie_forks() -> None:
    """The same for every process that this one forks, and theirs."""
    os.register_at_fork(before=_remember, after_in_child=_tie)


def adopt() -> None:
    """Become the parent of orphans among this process's descendants: not every container has an init that reaps."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap(*, but: Collection[int] = ()) -> None:
    """Take the dead children off the process table, but for those that somebody waits for."""
    for child in _children():
        if child not in but:
            with suppress(ChildProcessError):
                os.waitpid(child, os.WNOHANG)


def _children() -> list[int]:
    """Our children by their process ids, adopted ones, too, as the kernel lists them: no look at all of /proc."""
    found: list[int] = []
    for thread in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # the thread ended meanwhile
            found += map(int, (thread / "children").read_text().split())
    return found


def _remember() -> None:
    global _forking_pid  # noqa: PLW0603 - the child reads what the parent was
    _forking_pid = os.getpid()


def _tie() -> None:
    die_with(_forking_pid)
