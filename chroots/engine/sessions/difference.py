"""What was changed in a chroot against its base: files by what happened to them, and packages."""

from __future__ import annotations

import filecmp
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from chroots.engine.isolation.inside import opened
from chroots.engine.layers.installed import STATUS, installed, installed_in
from chroots.engine.sessions.packages import Changes, changes
from debatomic.tools.errors import Kind, ToolError

T = TypeVar("T")
PATH_MAX = 4096  # bytes of a path that the kernel takes at once; somebody may have made longer ones
LONGEST_STATUS = 64 << 20  # characters of dpkg's list that are read, whoever wrote it
NOT_TOLD = {"dev", "proc", "run", "sys"}  # what is there comes from the jail


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Paths from the root, sorted; packages by name."""

    added: list[str]
    changed: list[str]
    removed: list[str]
    packages: Changes


def difference(base: Path, tree: Path, *, most: int | None = None) -> Difference:
    """Compare the mounted `tree`, in which nothing runs, with the base below it.

    Raises: ToolError where the tree has more than `most` files and folders.
    """
    before, after = dict(_entries(base)), dict(_at_most(most, _entries(tree)))
    return Difference(
        added=sorted(path for path in after if path not in before),
        removed=sorted(path for path in before if path not in after),
        changed=sorted(path for path, found in after.items()
                       if path in before and not _same(base, before[path], tree, found, path)),
        packages=changes(installed_in(base), installed(_status(tree))),
    )  # fmt: skip


def _at_most(most: int | None, entries: Iterator[T]) -> Iterator[T]:
    for number, entry in enumerate(entries):
        if most is not None and number >= most:
            raise ToolError(f"There are more than {most} files now, too many to be compared.", kind=Kind.DISK)
        yield entry


def _entries(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Everything below, by path from the root; no link is followed."""
    stack = [os.fspath(root)]
    start = len(stack[0])
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                path = entry.path[start:]
                if path[1:] in NOT_TOLD or len(os.fsencode(entry.path)) >= PATH_MAX:
                    continue
                yield path, entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)


def _same(base: Path, before: os.stat_result, tree: Path, after: os.stat_result, path: str) -> bool:
    """What was never touched shows its base's own times; of the rest, kind, owner, mode and content count."""
    if any((getattr(before, name) != getattr(after, name)) for name in ("st_mode", "st_uid", "st_gid", "st_rdev")):
        return False
    if stat.S_ISDIR(after.st_mode) or before.st_ctime_ns == after.st_ctime_ns:
        return True
    one, other = f"{base}{path}", f"{tree}{path}"
    if stat.S_ISLNK(after.st_mode):
        return os.readlink(one) == os.readlink(other)  # noqa: PTH115 - a Path each is slow
    return not stat.S_ISREG(after.st_mode) or filecmp.cmp(one, other, shallow=False)


def _status(tree: Path) -> str:
    try:
        with opened(tree, STATUS, os.O_RDONLY | os.O_NONBLOCK) as fd, open(fd, errors="replace", closefd=False) as file:
            return file.read(LONGEST_STATUS)
    except OSError:
        return ""  # somebody removed it: no package is installed any more
