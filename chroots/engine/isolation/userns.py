"""A user namespace with our own ids in which no further one can be made."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from debatomic.tools.errors import InfrastructureError

CLONE_NEWUSER = 0x10000000
NESTED_LIMIT = Path("/proc/sys/user/max_user_namespaces")
MADE, SEALED = b"m", b"s"


@contextmanager
def sealed_user_namespace() -> Iterator[int]:
    """A file descriptor of a new user namespace: every id means what it means outside, no capability does.

    Root in it rules only what belongs to the namespace, and nested user namespaces are refused: their limit is
    a setting of each namespace, so the host's own stays as it is.
    """
    from_child, to_parent = os.pipe()
    from_parent, to_child = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(from_child)
        os.close(to_child)
        _live_in_it(to_parent, from_parent)
    os.close(to_parent)
    os.close(from_parent)
    try:
        fd = _sealed_by(child, from_child, to_child)
    finally:
        os.close(from_child)
        os.close(to_child)  # the child ends
        os.waitpid(child, 0)
    try:
        yield fd
    finally:
        os.close(fd)


def _live_in_it(to_parent: int, from_parent: int) -> None:
    """The child: make the namespace, wait for its map, switch nested ones off, wait until the parent has it."""
    with suppress(OSError):
        if ctypes.CDLL(None).unshare(CLONE_NEWUSER) == 0:
            os.write(to_parent, MADE)
            os.read(from_parent, 1)
            NESTED_LIMIT.write_text("0\n")
            os.write(to_parent, SEALED)
            os.read(from_parent, 1)
    os._exit(0)


def _sealed_by(child: int, from_child: int, to_child: int) -> int:
    if os.read(from_child, 1) != MADE:
        raise InfrastructureError("This host does not let us make user namespaces.",
                                  hint="Look at sysctl user.max_user_namespaces.")  # fmt: skip
    for name in ("uid_map", "gid_map"):
        Path(f"/proc/{child}/{name}").write_text(identity_map(Path(f"/proc/self/{name}").read_text()))
    os.write(to_child, MADE)
    if os.read(from_child, 1) != SEALED:
        raise InfrastructureError("Nested user namespaces could not be switched off for the build.")
    return os.open(f"/proc/{child}/ns/user", os.O_RDONLY)


def identity_map(own: str) -> str:
    """A map in which every id that exists here means itself."""
    ranges = (line.split() for line in own.splitlines())
    return "".join(f"{inside} {inside} {count}\n" for inside, _, count in ranges)
