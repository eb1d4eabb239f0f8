"""Results out of a buildroot: only regular files, whatever the build put there."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from chroots.engine.archives.dsc import FILE_NAME, control_fields, listed_files, verify
from debatomic.tools.errors import InputError, Kind, ToolError
from debatomic.tools.files import sha256, whole

KINDS = {".deb": "deb", ".udeb": "udeb", ".ddeb": "deb", ".changes": "changes", ".buildinfo": "buildinfo",
         ".dsc": "dsc", ".xz": "source", ".gz": "source", ".bz2": "source", ".asc": "source",
         ".tar": "source", ".zst": "source", ".lzma": "source", ".log": "log"}  # fmt: skip
FILES_AT_MOST = 10_000


@dataclass(frozen=True, kw_only=True)
class ResultFile:
    """One file a build made."""

    name: str
    kind: str
    size: int
    sha256: str


def collect(
    root: Path, folder: str, target: Path, *, size_limit: int, reserved: Collection[str] = ()
) -> list[ResultFile]:
    """Copy the results in `folder` (a path inside `root`) to `target`: the `.changes` and what they list, as listed.

    No link is followed on the way: the build owned the folder and could have pointed it anywhere. Nor is a file taken
    under a `reserved` name.
    """
    with ExitStack() as undo:
        fd = _opened(root, folder, undo)
        changes = sorted(name for name in os.listdir(fd) if name.endswith(".changes"))  # noqa: PTH208 - a descriptor
        for name in changes:
            if not FILE_NAME.fullmatch(name):
                raise InputError(f"The build made a file named {name!r}; only plain file names are taken.")
        if not changes:
            raise ToolError("The build ended well but made no .changes file, so there is nothing to take.")
        names = list(changes)
        left = size_limit
        for name in names:  # grows: first the .changes, then what they list
            left -= _copied(fd, name, target / name, left)
            if name.endswith(".changes"):
                names.extend(sorted(_listed(target / name, reserved) - set(names)))
            if len(names) > FILES_AT_MOST:
                raise ToolError(f"The build lists {len(names)} files; more than {FILES_AT_MOST} are not taken.")
    for name in changes:
        verify(listed_files(control_fields(target / name), name), target, name)
    return [described(target / name) for name in names]


def _listed(changes: Path, reserved: Collection[str]) -> set[str]:
    names = set(listed_files(control_fields(changes), changes.name))
    if strange := sorted(name for name in names if Path(name).suffix not in KINDS or name in reserved):
        raise ToolError(f"{changes.name} lists {strange[0]}, which is no file a build makes.")
    return names


def described(path: Path, kind: str = "") -> ResultFile:
    return ResultFile(name=path.name, kind=kind or KINDS[path.suffix], size=path.stat().st_size, sha256=sha256(path))


def _opened(root: Path, folder: str, undo: ExitStack) -> int:
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    undo.callback(os.close, fd)
    for part in folder.strip("/").split("/"):
        try:
            fd = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
        except OSError as error:
            raise InputError(f"The build replaced its folder {folder}: nothing is taken from there.") from error
        undo.callback(os.close, fd)
    return fd


def _copied(folder: int, name: str, target: Path, limit: int) -> int:
    """Copy one file; bytes copied."""
    fd = _regular(folder, name)
    with os.fdopen(fd, "rb") as source:
        size = os.fstat(fd).st_size
        if size > limit:
            raise ToolError(f"The build's results are larger than its disk limit: {name} does not fit.", kind=Kind.DISK)
        with whole(target) as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
    return size


def _regular(folder: int, name: str) -> int:
    """Open a file of the build's, which could be anything under that name."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except FileNotFoundError as error:
        raise InputError(f"The build lists {name} in its .changes, but did not make it.") from error
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EACCES):
            raise InputError(f"The build's result {name} is not a regular file.") from error
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise InputError(f"The build's result {name} is not a regular file.")
    return fd
