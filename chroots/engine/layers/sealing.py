"""What becomes a layer was written by maintainer scripts, as root of a jail: it is looked at before it is used."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from debatomic.tools.errors import Kind, ToolError
from debatomic.tools.run import run

NOT_KEPT = ("var/cache/apt", "var/lib/apt/lists", "var/log/apt", "run", "tmp")
# Where the engine mounts something or works itself: a folder, or nothing of the layer's.
OURS = ("dev", "proc", "run", "sys", "tmp", "build", "build/reproducible-path")


def seal(changes: Path) -> None:
    """Take out what no other build needs. Raises: ToolError naming what nobody may stand on. Nothing may run in it."""
    for name in OURS:
        if (strange := _strange(changes / name)) and not _through_link(changes, name):
            raise ToolError(f"A build dependency made {strange} of /{name} while it was being installed.",
                            kind=Kind.BUILD, hint="Nothing is kept of that installation.")  # fmt: skip
    if _has_devices(changes):
        raise ToolError("A build dependency made a device while it was being installed.", kind=Kind.BUILD,
                        hint="Nothing is kept of that installation.")  # fmt: skip
    unwanted = [os.fspath(changes / name) for name in NOT_KEPT if not _through_link(changes, name)]
    run(["rm", "--recursive", "--force", "--one-file-system", "--", *unwanted])  # links in there are not followed


def _strange(path: Path) -> str:
    """What a path is, in words, if it is neither a folder nor absent."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ""
    return "" if stat.S_ISDIR(mode) else "a link" if stat.S_ISLNK(mode) else "something that is no folder"


def _through_link(top: Path, name: str) -> bool:
    """Whether a folder on the way to `name` is a link: then it is not the layer's."""
    parents = list(PurePosixPath(name).parents)[:-1]
    return any((top / parent).is_symlink() for parent in parents)


def _has_devices(changes: Path) -> bool:
    """Whether it has a device; a character device 0:0 is none, but the sign of overlayfs for "removed"."""
    kinds = ["(", "-type", "b", "-o", "-type", "c", ")", "-exec", "stat", "--format=%t:%T", "--", "{}", "+"]
    numbers = run(["find", os.fspath(changes), "-xdev", *kinds], capture=True).stdout
    return bool(set(numbers.split()) - {"0:0"})


def require_places(root: Path, places: Iterable[str]) -> None:
    """Refuse to mount at places of a tree that a link in it leads somewhere else.

    Raises: ToolError naming the link.
    """
    for place in places:
        path = root
        for part in PurePosixPath(place).parts[1:]:
            path = path / part
            if path.is_symlink():
                link = path.relative_to(root)
                raise ToolError(f"The buildroot has a link at /{link}, where {place} is to be mounted.")
