"""The initramfs, made again only where something changed that its making looked at.

After dracut ran, the times of access tell which files of the tree it read; what is in the image counts as read, too.
What it could see besides is names: the digest of all names, kinds, owners and modes is the identity of what is kept.
Where every name is the same, and every file that was read, the image would be the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chroots.engine.isolation.inside import opened
from composes.pipeline.store import ResultStore
from debatomic.tools.files import sha256

REVISION = 1
UNSEEN = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "var", "proc", "sys", "dev", "run",
          "tmp")  # fmt: skip
PROBE = "usr/bin/dracut"  # read in any case: if that does not show, the file system keeps no times of access
IMAGE, READ = "initramfs.img", "read.json"
Run = Callable[..., Any]  # a program in the tree: its arguments, more of the environment, whether its output is wanted


@dataclass(frozen=True, kw_only=True)
class Initramfs:
    """The initramfs of `version` in the tree `root`."""

    root: Path
    version: str

    @property
    def place(self) -> str:
        """Of the image, in the tree."""
        return f"usr/lib/modules/{self.version}/{IMAGE}"

    @property
    def date(self) -> int:
        """Of the kernel: nothing in the image is younger."""
        return int((self.root / "boot" / f"vmlinuz-{self.version}").stat().st_mtime)

    def have(self, store: ResultStore, run: Run, *, again: bool = False) -> bool:
        """Put it into its place; whether it was there already. With `again` it is made even then."""
        identity = self._identity()
        while True:
            with store.result(identity, lambda folder: self._make(folder, run), again=again) as (kept, _, reused):
                if not reused:
                    return False
                if self._same(kept):
                    self._put(kept / IMAGE)
                    return True
            again = True

    def _identity(self) -> str:
        digest = hashlib.sha256(f"{REVISION} {self.version} {self.date}\n".encode())
        for path, status in _below(os.fspath(self.root), ""):
            target = (self.root / path).readlink() if stat.S_ISLNK(status.st_mode) else ""
            digest.update(f"{path}\0{status.st_mode}\0{status.st_uid}\0{status.st_gid}\0{target}\n"
                          .encode(errors="surrogateescape"))  # fmt: skip
        return f"initramfs-{digest.hexdigest()[:32]}"

    def _make(self, folder: Path, run: Run) -> dict[str, Any]:
        files = [path for path, status in _below(os.fspath(self.root), "") if stat.S_ISREG(status.st_mode)]
        for path in files:
            os.utime(self.root / path, ns=(0, (self.root / path).stat().st_mtime_ns))
        args = ["dracut", "--force", "--kver", self.version, f"/{self.place}"]
        run(args, SOURCE_DATE_EPOCH=str(self.date), DRACUT_NO_XATTR="1")
        read = {path for path in files if (self.root / path).stat().st_atime_ns}
        if PROBE in read:
            read |= self._inside(run) & set(files)
            (folder / READ).write_text(json.dumps({path: self._content(path) for path in sorted(read)}))
            self._get(folder / IMAGE)
        return {"read": len(read)}

    def _get(self, target: Path) -> None:
        """Copy the image, where links in the tree lead nowhere else; the same for putting it there."""
        with opened(self.root, self.place, os.O_RDONLY) as fd, target.open("wb") as copy:
            with os.fdopen(os.dup(fd), "rb") as image:
                shutil.copyfileobj(image, copy)

    def _put(self, source: Path) -> None:
        with opened(self.root, self.place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as fd, source.open("rb") as image:
            with os.fdopen(os.dup(fd), "wb") as copy:
                shutil.copyfileobj(image, copy)
            os.fchmod(fd, 0o644)

    def _inside(self, run: Run) -> set[str]:
        """The names in the image."""
        args = ["sh", "-c", 'zstd -dcq "$0" | cpio -t --quiet', f"/{self.place}"]
        return set(run(args, captured=True).splitlines())

    def _same(self, kept: Path) -> bool:
        """Whether all that was read is as it was."""
        if not (kept / READ).exists():
            return False
        known: dict[str, list[Any]] = json.loads((kept / READ).read_text())
        return all(self._content(path) == content for path, content in known.items())

    def _content(self, path: str) -> list[Any]:
        found = self.root / path
        if not stat.S_ISREG(os.lstat(found).st_mode):
            return []
        return [sha256(found), min(int(found.stat().st_mtime), self.date)]


def _below(folder: str, above: str) -> Iterator[tuple[str, os.stat_result]]:
    """Every name below a folder that the making of an initramfs can see, sorted."""
    with os.scandir(folder) as found:
        entries: Sequence[os.DirEntry[str]] = sorted(found, key=lambda entry: entry.name)
    for each in entries:
        path = f"{above}{each.name}"
        if path in UNSEEN or each.name == IMAGE:
            continue
        yield path, each.stat(follow_symlinks=False)
        if each.is_dir(follow_symlinks=False):
            yield from _below(each.path, f"{path}/")
