"""Opening what is in a tree that may be hostile: a link in it never leads out of it."""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from debatomic.tools.errors import InputError

OPENAT2, RESOLVE_NO_MAGICLINKS, RESOLVE_IN_ROOT = 437, 0x02, 0x10
PERMISSIONS = 0o777  # no set-uid, set-gid or sticky bit is carried over when copying
STRANGE = {stat.S_IFBLK: "a block device", stat.S_IFCHR: "a character device", stat.S_IFIFO: "a named pipe",
           stat.S_IFSOCK: "a socket"}  # fmt: skip


class _How(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


@contextmanager
def opened(root: Path, path: str, flags: int) -> Iterator[int]:
    """A file descriptor of `path` as a process with `root` as its root would open it (openat2(2))."""
    top = os.open(root, os.O_PATH | os.O_DIRECTORY)
    try:
        how = _How(flags=flags | os.O_CLOEXEC, mode=0, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
        libc = ctypes.CDLL(None, use_errno=True)
        fd = libc.syscall(OPENAT2, top, os.fsencode(path), ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how)))
        if fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    finally:
        os.close(top)
    try:
        yield fd
    finally:
        os.close(fd)


def refused(name: str, mode: int) -> InputError:
    """The sentence for what is neither file, folder nor link."""
    return InputError(f"{name} is {STRANGE.get(stat.S_IFMT(mode), 'no file')} and is not copied.")
