"""What was copied out becomes files: a folder is packed."""

from __future__ import annotations

import tarfile
from collections.abc import Set
from pathlib import Path

from chroots.engine.state import remove_tree

LEVEL = 3  # of gzip: quick


def bundled(copied: Path, name: str, taken: Set[str], folder: Path) -> str:
    """Give a copied file or folder (packed as .tar.gz) a free name in `folder`; that name."""
    stem = name or "root"
    if not copied.is_dir() or copied.is_symlink():
        free = _free(stem, taken)
        copied.rename(folder / free)
        return free
    free = _free(f"{stem}.tar.gz", taken)
    with tarfile.open(folder / free, "w:gz", compresslevel=LEVEL) as packed:
        packed.add(copied, arcname=stem, filter=_plain)
    remove_tree(copied)
    return free


def _free(name: str, taken: Set[str]) -> str:
    names = (name, *(f"{number}-{name}" for number in range(2, len(taken) + 3)))
    return next(one for one in names if one not in taken)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Owned by root by number, whoever copied it."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
