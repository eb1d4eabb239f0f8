"""Mounting by the system call: starting mount(8) takes longer than all the rest of a buildroot."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from debatomic.tools.errors import InfrastructureError

NOSUID, NOEXEC, DETACH = 2, 8, 2  # MS_NOSUID, MS_NOEXEC, MNT_DETACH of mount(2) and umount(2)

NO_DEVICE = Path("debatomic")  # only a name, where the file system is on none


@contextmanager
def mounted(kind: str, at: Path, options: str, flags: int = 0) -> Iterator[Path]:
    """A file system of that kind at `at`; leaving the block takes it off at once, whoever still uses it."""
    mount(kind, at, options, flags)
    try:
        yield at
    finally:
        unmount(at)


def mount(kind: str, at: Path, options: str, flags: int = 0, *, source: Path = NO_DEVICE) -> None:
    """Raises: InfrastructureError with the kernel's word."""
    libc = ctypes.CDLL(None, use_errno=True)
    if (
        libc.mount(os.fsencode(source), os.fsencode(at), kind.encode(), ctypes.c_ulong(flags), os.fsencode(options))
        != 0
    ):
        why = os.strerror(ctypes.get_errno())
        raise InfrastructureError(f"A file system of type {kind} could not be mounted at {at}: {why}.",
                                  hint="python -m chroots.engine doctor says what this host lacks.")  # fmt: skip


def unmount(at: Path) -> None:
    """Take off what is mounted at `at`, with what is mounted below; nothing is said if there is none."""
    ctypes.CDLL(None).umount2(os.fsencode(at), DETACH)
