"""Mounting by the system call: starting mount(8) takes longer than all the rest of a buildroot."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from debatomic.tools.errors import InfrastructureError

NOSUID, NOEXEC, DETACH = 2, 8, 2  # MS_NOSUID, MS_NOEXEC, MNT_DETACH of mount(2) and umount(2)
BIND, PRIVATE = 0x1000 | 0x4000, 0x40000 | 0x4000  # MS_BIND, MS_PRIVATE, each with MS_REC
NEW_MOUNTS = 0x20000  # CLONE_NEWNS of unshare(2)
LIBC = ctypes.CDLL(None, use_errno=True)  # loaded before any fork

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


def leave_mounts_of_others() -> None:
    """Give the calling process a mount namespace of its own; whatever it mounts ends with it."""
    if LIBC.unshare(NEW_MOUNTS) != 0 or LIBC.mount(b"none", b"/", None, ctypes.c_ulong(PRIVATE), None) != 0:
        raise InfrastructureError("A mount namespace could not be made: " + os.strerror(ctypes.get_errno()))


def bind(source: Path, at: Path) -> None:
    """Show a file or folder, with what is mounted below, at another place as well."""
    if LIBC.mount(os.fsencode(source), os.fsencode(at), None, ctypes.c_ulong(BIND), None) != 0:
        raise InfrastructureError(f"{source} could not be shown at {at}: {os.strerror(ctypes.get_errno())}.")
