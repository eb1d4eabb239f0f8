"""Files out of a tree that may be hostile."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from chroots.engine.isolation.inside import PERMISSIONS, opened, refused
from chroots.engine.state import remove_tree
from debatomic.tools.errors import InputError, Kind, ToolError

CHUNK = 1 << 20
DEEPEST = 200  # folders in folders: two descriptors are open for each


@dataclass
class Copying:
    """How far a copy is: at most `limit` bytes, and what was left out on the way."""

    limit: int
    files: int = 0
    left_out: list[str] = field(default_factory=list)

    def take(self, count: int, name: str) -> None:
        self.limit -= count
        if self.limit < 0:
            raise ToolError(f"{name} does not fit: what is copied is larger than the limit.", kind=Kind.DISK,
                            hint="Allow more with --disk.")  # fmt: skip


def copy_out(root: Path, path: str, target: Path, *, limit: int) -> Copying:
    """Copy a file or a folder out of the tree `root` to `target`, which appears whole or not at all.

    It comes out as ours, with plain permissions; links that would lead out of what is copied are left out and told.

    Raises: InputError for device nodes, pipes and sockets, and for what is not there.
    """
    copying = Copying(limit=limit)
    if target.exists() or target.is_symlink():
        raise InputError(f"{target} exists already.", hint="Remove it, or name another place.")
    scratch = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with _found(root, path) as fd:
            _out(fd, scratch, path, PurePosixPath(), copying)
        scratch.rename(target)
    except BaseException:
        _undo(scratch)
        raise
    return copying


def _undo(scratch: Path) -> None:
    if scratch.is_dir() and not scratch.is_symlink():
        remove_tree(scratch)
    else:
        scratch.unlink(missing_ok=True)


@contextmanager
def _found(root: Path, path: str) -> Iterator[int]:
    try:
        with opened(root, path, os.O_PATH) as fd:
            yield fd
    except FileNotFoundError as error:
        if error.filename != path:
            raise
        raise InputError(f"There is no {path} in the chroot.") from error


def _out(place: int, target: Path, name: str, inside: PurePosixPath, copying: Copying) -> None:
    """Copy what an O_PATH descriptor stands for."""
    if len(inside.parts) > DEEPEST:
        raise InputError(f"{name[:100]}… is more than {DEEPEST} folders deep and is not copied.")
    found = os.fstat(place)
    if stat.S_ISLNK(found.st_mode):
        _link_out(place, target, name, inside, copying)
    elif stat.S_ISDIR(found.st_mode):
        _folder_out(place, target, name, inside, copying)
    elif stat.S_ISREG(found.st_mode):
        _file_out(place, target, name, copying)
    else:
        raise refused(name, found.st_mode)


def _link_out(place: int, target: Path, name: str, inside: PurePosixPath, copying: Copying) -> None:
    leads_to = os.readlink("", dir_fd=place)
    if stays_below(inside, leads_to):
        target.symlink_to(leads_to)
        copying.files += 1
    else:
        copying.left_out.append(f"{name} (a link to {leads_to})")


def stays_below(inside: PurePosixPath, leads_to: str) -> bool:
    """Whether a link at the relative path `inside` leads to something in the same copied tree.

    `..` counts only in front: behind a name that may be a link itself, nobody knows where it leads.
    """
    parts = PurePosixPath(leads_to).parts
    steps = next((number for number, part in enumerate(parts) if part != ".."), len(parts))
    depth = len(inside.parts) - 1
    return not leads_to.startswith("/") and ".." not in parts[steps:] and 0 <= steps <= depth


def _folder_out(place: int, target: Path, name: str, inside: PurePosixPath, copying: Copying) -> None:
    target.mkdir()
    fd = os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_DIRECTORY)
    try:
        for entry in sorted(os.listdir(fd)):  # noqa: PTH208 - a descriptor
            below = os.open(entry, os.O_PATH | os.O_NOFOLLOW, dir_fd=fd)
            try:
                _out(below, target / entry, f"{name.rstrip('/')}/{entry}", inside / entry, copying)
            finally:
                os.close(below)
        target.chmod(os.fstat(fd).st_mode & PERMISSIONS)
    finally:
        os.close(fd)


def _file_out(place: int, target: Path, name: str, copying: Copying) -> None:
    with Path(f"/proc/self/fd/{place}").open("rb") as source, target.open("xb") as copy:
        found = os.fstat(source.fileno())
        copying.take(found.st_size, name)
        left = found.st_size
        while left and (chunk := source.read(min(left, CHUNK))):
            copy.write(chunk)
            left -= len(chunk)
        os.fchmod(copy.fileno(), found.st_mode & PERMISSIONS)
    os.utime(target, ns=(found.st_mtime_ns, found.st_mtime_ns))
    copying.files += 1
