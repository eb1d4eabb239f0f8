"""An XFS file system made from a folder without a mount.

mkfs.xfs takes a prototype, a list of what shall be there. It has no hard links and no sticky bits: xfs_db adds those
afterwards, and xfs_repair looks at the result. Files get the time of their making.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from composes.pipeline.tools import Tools
from debatomic.tools.errors import InputError, Kind, ToolError

KINDS = {stat.S_IFREG: "-", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFCHR: "c", stat.S_IFBLK: "b",
         stat.S_IFIFO: "p"}  # fmt: skip
UNSPEAKABLE = re.compile(r"[\t\n\v\f\r]|^(:|\$$).* ")  # what neither a prototype nor xfs_db can name
COMMENT = re.compile(r"^:|^\$$")  # what a prototype takes for something else
WELL = re.compile(r"^(core\.mode = |Allowing write of|$)")  # what xfs_db says when all is well
FOUND = re.compile(r"^ *(\d+) (.+)$", re.MULTILINE)
OTHERWISE = "Choose image.filesystem: ext4 or btrfs."


@dataclass(kw_only=True)
class Prototype:
    """What mkfs.xfs is told, and what is left to do: names of files that are there already, modes with a sticky bit."""

    source: Path
    aside: Path  # for files whose path a prototype cannot name
    lines: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)  # name, and the file it is another name of
    modes: list[tuple[str, int]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)  # names that go at the end
    first: dict[int, str] = field(default_factory=dict)  # by inode


def prototype(source: Path, aside: Path) -> Prototype:
    """The prototype of a folder. Raises InputError for what XFS cannot be given this way."""
    plan = Prototype(source=source, aside=aside)
    _choose_names(plan)
    plan.lines = ["/", "0 0", _mode(source.lstat())]
    _folder(plan, source, "")
    plan.lines.append("$")
    return plan


def _choose_names(plan: Prototype) -> None:
    """Under which name a file of several is made: one with a space if there is one, for that cannot be added later."""
    for top, folders, names in os.walk(plan.source):
        folders.sort()
        for name in sorted(names):
            status, path = os.lstat(f"{top}/{name}"), os.path.relpath(f"{top}/{name}", plan.source)
            if status.st_nlink > 1 and " " in name:
                plan.first[status.st_ino] = path
            elif status.st_nlink > 1 and not COMMENT.search(name):
                plan.first.setdefault(status.st_ino, path)


def _folder(plan: Prototype, folder: Path, path: str) -> None:
    for entry in sorted(os.scandir(folder), key=lambda each: each.name):
        inner = f"{path}/{entry.name}" if path else entry.name
        status = entry.stat(follow_symlinks=False)
        is_folder = stat.S_ISDIR(status.st_mode)
        _check(inner, entry.name, Path(entry.path), status)
        if not is_folder and COMMENT.search(entry.name):
            _renamed(plan, entry, path, inner)
            continue
        if not is_folder and plan.first.get(status.st_ino, inner) != inner and " " not in entry.name:
            plan.links.append((inner, plan.first[status.st_ino]))
            continue
        if status.st_mode & stat.S_ISVTX:
            plan.modes.append((inner, status.st_mode))
        plan.lines.append(f"{entry.name.replace(' ', '/')} {_mode(status)}{_more(plan, Path(entry.path), status)}")
        if is_folder:
            _folder(plan, Path(entry.path), inner)
            plan.lines.append("$")


def _renamed(plan: Prototype, entry: os.DirEntry[str], path: str, inner: str) -> None:
    """A file that is made under another name, which goes when it has its own."""
    status = entry.stat(follow_symlinks=False)
    if status.st_ino not in plan.first:
        name = f".debatomic-{len(plan.removed)}"
        plan.first[status.st_ino] = f"{path}/{name}" if path else name
        plan.removed.append(plan.first[status.st_ino])
        plan.lines.append(f"{name} {_mode(status)}{_more(plan, Path(entry.path), status)}")
    plan.links.append((inner, plan.first[status.st_ino]))


def _check(path: str, name: str, place: Path, status: os.stat_result) -> None:
    target = str(place.readlink()) if stat.S_ISLNK(status.st_mode) else ""
    comment = stat.S_ISDIR(status.st_mode) and COMMENT.search(name)
    if comment or UNSPEAKABLE.search(name) or re.search(r"\s", target) or stat.S_IFMT(status.st_mode) not in KINDS:
        raise InputError(f"XFS cannot be made with {path!a}: its name, target or kind is beyond mkfs.xfs.",
                         hint=OTHERWISE)  # fmt: skip
    names = os.listxattr(place, follow_symlinks=False)
    if bad := [each for each in names if not stat.S_ISREG(status.st_mode) or each.startswith("system.")]:
        raise InputError(f"XFS cannot be made with the extended attribute {bad[0]} of {path}.", hint=OTHERWISE)


def _mode(status: os.stat_result) -> str:
    mode = status.st_mode
    suid, sgid = "u" if mode & stat.S_ISUID else "-", "g" if mode & stat.S_ISGID else "-"
    return f"{KINDS[stat.S_IFMT(mode)]}{suid}{sgid}{mode & 0o777:03o} {status.st_uid} {status.st_gid}"


def _more(plan: Prototype, path: Path, status: os.stat_result) -> str:
    """What stands behind owner and group."""
    if stat.S_ISREG(status.st_mode):
        return f" {_speakable(plan, path)}"
    if stat.S_ISLNK(status.st_mode):
        return f" {path.readlink()}"
    device = stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)
    return f" {os.major(status.st_rdev)} {os.minor(status.st_rdev)}" if device else ""


def _speakable(plan: Prototype, path: Path) -> Path:
    if not re.search(r"\s", str(path)):
        return path
    plan.aside.mkdir(exist_ok=True)
    other = plan.aside / str(len(list(plan.aside.iterdir())))
    os.link(path, other)
    return other


def make(tools: Tools, source: Path, image: Path, scratch: Path, *, uuid: str, label: str) -> None:
    """Fill `image`, a file that has its size, with what is in `source`. Raises InputError for what cannot be in it."""
    plan, text = prototype(source, scratch / "xfs-aside"), scratch / "xfs.prototype"
    text.write_text("\n".join(plan.lines) + "\n", errors="surrogateescape")
    # Without what GRUB does not read.
    tools.run(["mkfs.xfs", "-q", "-f", "-L", label, "-m", f"uuid={uuid}", "-n", "parent=0", "-i", "exchange=0",
               "-p", f"slashes_are_spaces=1,file={text}", image])  # fmt: skip
    text.unlink()
    shutil.rmtree(plan.aside, ignore_errors=True)
    if plan.links or plan.modes:
        _complete(tools, plan, image)
    tools.run(["xfs_repair", "-n", "-f", image])


def _complete(tools: Tools, plan: Prototype, image: Path) -> None:
    shown = tools.read(["xfs_db", "-r", "-f", "-c", "blockget -n", "-c", "ncheck", image])
    inodes = {path.removesuffix("/."): number for number, path in FOUND.findall(shown)}
    script = "\n".join(commands(plan, inodes)) + "\n"
    told = tools.run(["xfs_db", "-x", "-f", image], stdin=os.fsencode(script), capture=True, log=None).stdout
    if wrong := [line for line in told.splitlines() if not WELL.match(line)]:
        raise ToolError(f"xfs_db could not add the hard links: {wrong[0]}.", kind=Kind.INTERNAL, lines=wrong[:20])


def commands(plan: Prototype, inodes: dict[str, str]) -> Sequence[str]:
    """What xfs_db is told, once it is known which inode each path got."""
    lines: list[str] = []
    for path, other in plan.links:
        lines += [_in_folder(path, inodes), f"link -i {inodes[other]} -- {path.rpartition('/')[2]}"]
    for path in plan.removed:
        lines += [_in_folder(path, inodes), f"unlink -- {path.rpartition('/')[2]}"]
    for path, mode in plan.modes:
        lines += [f"inode {inodes[path]}", f"write -d core.mode 0{mode:o}"]
    return lines


def _in_folder(path: str, inodes: dict[str, str]) -> str:
    folder = path.rpartition("/")[0]
    return f"inode {inodes[folder]}" if folder else "path /"
