"""A root folder of a few programs with the libraries they need, taken from the tools chroot."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from composes.pipeline.tools import Tools
from debatomic.tools.errors import CommandFailed, Kind, ToolError

PROGRAMS = ("sh", "blkdiscard", "blockdev", "cmp", "dd", "lsblk", "readlink", "sfdisk", "sleep", "stat", "sync", "tr",
            "wipefs")  # fmt: skip
BY_FILE_SYSTEM = {"ext4": ("e2fsck", "resize2fs"), "xfs": ("mount", "umount", "xfs_growfs"),
                  "btrfs": ("mount", "umount", "btrfs")}  # fmt: skip
FOLDERS = ("bin", "dev", "mnt", "proc", "run", "sys", "tmp")
LIBRARY = re.compile(r"(?:^|=> )\s*(/\S+) \(0x")
WHERE = ("usr/bin", "usr/sbin")


def lay_out(tools: Tools, root: Path, file_system: str) -> None:
    """Fill `root`: programs in /bin, libraries at their own places. Raises ToolError for a program that is missing."""
    for name in FOLDERS:
        (root / name).mkdir(parents=True)
    for name in (*PROGRAMS, *BY_FILE_SYSTEM[file_system]):
        path = _found(tools, name)
        _copy(tools, path, root / "bin" / name)
        for library in libraries(_linked(tools, path)):
            _copy(tools, library, root / library.lstrip("/"))


def libraries(text: str) -> list[str]:
    """The paths in what ldd says."""
    return [match[1] for line in text.splitlines() if (match := LIBRARY.search(line.strip()))]


def _found(tools: Tools, name: str) -> str:
    place = next((each for each in WHERE if (tools.root / each / name).exists()), "")
    if not place:
        raise ToolError(f"The tools chroot has no {name}, which the installer needs.", kind=Kind.INFRASTRUCTURE,
                        hint="Remove the base tools-… from the state folder; it is made anew.")  # fmt: skip
    return f"/{place}/{name}"


def _linked(tools: Tools, path: str) -> str:
    try:
        return tools.read(["ldd", path], jailed=False)  # of the tools alone
    except CommandFailed:  # a script, or linked statically
        return ""


def _copy(tools: Tools, path: str, target: Path) -> None:
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    real = tools.read(["readlink", "-f", path], jailed=False)
    shutil.copyfile(tools.root / real.lstrip("/"), target)
    target.chmod(0o755)
