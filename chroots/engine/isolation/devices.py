"""A /dev of the buildroot's own: the host's device nodes belong to root, and root in the jail could change them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chroots.engine.isolation.mounts import NOEXEC, NOSUID, mount, mounted

NODES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}


@contextmanager
def devices(at: Path) -> Iterator[Path | None]:
    """Mount a small device file system at `at`; None where device nodes cannot be made (not the host's root)."""
    at.mkdir()
    with mounted("tmpfs", at, "size=64k,mode=755", NOSUID | NOEXEC):
        yield at if _filled(at) else None


def _filled(at: Path) -> bool:
    try:
        for name, (major, minor) in NODES.items():
            os.mknod(at / name, stat.S_IFCHR | 0o666, os.makedev(major, minor))
            (at / name).chmod(0o666)
    except PermissionError:
        return False
    for name, target in LINKS.items():
        (at / name).symlink_to(target)
    for name in ("pts", "shm"):
        (at / name).mkdir()
    mount("devpts", at / "pts", "newinstance,ptmxmode=0666,mode=620")  # goes with the one it is on
    return True
