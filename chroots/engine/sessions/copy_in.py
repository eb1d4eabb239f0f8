"""Files of ours into a tree that may be hostile."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from chroots.engine.isolation.inside import PERMISSIONS, opened, refused
from debatomic.tools.errors import InputError

FOLDER = os.O_RDONLY | os.O_DIRECTORY


def copy_in(root: Path, sources: Sequence[Path], path: str, *, owner: int) -> int:
    """Copy files and folders to `path` in the tree `root`, owned by `owner`; how many files.

    Into it, if it is a folder (several go only there); else `path` is the name of the one copied.
    """
    for source in sources:
        if not source.exists():
            raise InputError(f"There is no {source} to copy.")
    into = _is_folder(root, path)
    if not into and (len(sources) > 1 or path.endswith("/")):
        raise InputError(f"There is no folder {path} in the chroot to copy into.")
    parent = path if into else str(PurePosixPath(path).parent)
    if not into and not _is_folder(root, parent):
        raise InputError(f"There is no folder {parent} in the chroot to copy into.")
    with opened(root, parent, FOLDER) as folder:
        named = ((source, source.resolve().name if into else PurePosixPath(path).name) for source in sources)
        return sum(_in(source, source.stat(), folder, name, owner) for source, name in named)


def _is_folder(root: Path, path: str) -> bool:
    try:
        with opened(root, path, FOLDER):
            return True
    except (FileNotFoundError, NotADirectoryError):
        return False


def _in(source: Path, found: os.stat_result, folder: int, name: str, owner: int) -> int:
    if stat.S_ISDIR(found.st_mode):
        return _folder_in(source, found, folder, name, owner)
    if stat.S_ISLNK(found.st_mode):
        _replace(folder, name, lambda new: os.symlink(source.readlink(), new, dir_fd=folder))
    elif stat.S_ISREG(found.st_mode):
        _replace(folder, name, lambda new: _file_in(source, found, folder, new, owner))
    else:
        raise refused(str(source), found.st_mode)
    return 1


def _replace(folder: int, name: str, make: Callable[[str], object]) -> None:
    """Make it under another name first, then give it its own: whole or not at all, whatever was there before."""
    new = f".{name}.{secrets.token_hex(4)}"
    make(new)
    try:
        os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError as error:
        os.unlink(new, dir_fd=folder)
        raise InputError(f"{name} cannot be put in the place of a folder.") from error


def _file_in(source: Path, found: os.stat_result, folder: int, name: str, owner: int) -> None:
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
    with os.fdopen(fd, "wb") as target, source.open("rb") as content:
        shutil.copyfileobj(content, target)
        os.fchown(fd, owner, owner)
        os.fchmod(fd, found.st_mode & PERMISSIONS)
        os.utime(fd, ns=(found.st_mtime_ns, found.st_mtime_ns))


def _folder_in(source: Path, found: os.stat_result, folder: int, name: str, owner: int) -> int:
    try:
        os.mkdir(name, dir_fd=folder)
        made = True
    except FileExistsError:
        made = False
    try:
        fd = os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        raise InputError(f"In the chroot, {name} is there and is no folder, so {source} cannot go there.") from error
    try:
        if made:
            os.fchown(fd, owner, owner)
            os.fchmod(fd, found.st_mode & PERMISSIONS)
        return sum(_in(entry, entry.lstat(), fd, entry.name, owner) for entry in sorted(source.iterdir()))
    finally:
        os.close(fd)
