"""A base's package lists, cut down to some packages: apt takes longer to read all of Debian's than to do its work."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

LISTS_OF_BASE = "var/lib/apt/lists"  # in its tree
PACKAGES, RELEASE = "_Packages", "Release"
FIRST = b"Package: "


def cut_down(lists: Path, names: Collection[str], folder: Path) -> bool:
    """Make `folder` what apt takes for its `lists`, with the packages of these names only.

    False, and nothing of use in `folder`, if a list is packed or only a link: then apt needs all there is.
    """
    folder.mkdir()
    wanted = {name.encode() for name in names}
    for path in lists.iterdir():
        if path.is_symlink() or "_Packages." in path.name:
            return False
        if path.name.endswith(RELEASE):
            shutil.copy2(path, folder)  # says which suite a list is of, which apt's preferences may be about
        elif path.name.endswith(PACKAGES):
            (folder / path.name).write_bytes(chosen(path.read_bytes(), wanted))
    return True


def chosen(text: bytes, names: Collection[bytes]) -> bytes:
    """The paragraphs of a Packages file that are about these packages."""
    paragraphs = text.strip(b"\n").split(b"\n\n")
    return b"".join(each + b"\n\n" for each in paragraphs if not each.startswith(FIRST) or _name(each) in names)


def _name(paragraph: bytes) -> bytes:
    return paragraph[len(FIRST) :].partition(b"\n")[0]
