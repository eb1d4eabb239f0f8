"""What dead processes left behind, found by the locks nobody holds any more, and removed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from chroots.engine.archives.fetch import Store
from chroots.engine.layers.shared import CHECKED, QUICK
from chroots.engine.state import DEAD, LEFTOVERS, LOCK, NEW, PRIVATE, State, locked, locked_now, remove_tree
from debatomic.tools.limits import CGROUPS, remove
from debatomic.tools.run import run

UNFINISHED = 60.0  # seconds


def sweep(state: State) -> list[str]:
    """Remove folders, mounts and control groups of processes that are gone; the names of what was removed."""
    removed = []
    for parent in parents(state):
        for folder in condemned(parent):
            for path in leftovers(folder):
                _remove(path)
            _remove(folder)
            removed.append(folder.name.removeprefix(DEAD))
    Store(state.files).sweep()
    for path in unfinished(state):
        path.unlink(missing_ok=True)
    return removed


def unfinished(state: State) -> Iterator[Path]:
    """Small files that a killed process was about to finish; writing one takes a moment, not a minute."""
    oldest = time.time() - UNFINISHED
    for pattern in (f"layers/{QUICK}/.*", f"layers/*/.{CHECKED}.*", "archive/.*"):
        for path in state.root.glob(pattern):
            with suppress(FileNotFoundError):
                if path.lstat().st_mtime < oldest:
                    yield path


def parents(state: State) -> list[Path]:
    """The folders in which temporary ones are made."""
    homes = [*state.bases.glob("*"), *state.kept.glob("*"), *state.ccache.glob("*/*")]
    return [path for path in (state.work, state.layers, *homes) if path.is_dir()]


def condemned(parent: Path) -> Iterator[Path]:
    """The temporary folders whose process is dead, renamed so that only we remove them."""
    with locked(parent / LOCK):
        parent.chmod(PRIVATE)
        for folder in parent.glob(f"{NEW}*"):
            with locked_now(folder / LOCK) as dead:
                if dead:
                    folder.rename(parent / f"{DEAD}{folder.name}")
    yield from sorted(parent.glob(f"{DEAD}*"))


def leftovers(folder: Path) -> list[Path]:
    """What the dead process noted to be removed with its folder."""
    try:
        return [Path(name) for name in json.loads((folder / LEFTOVERS).read_text())]
    except (FileNotFoundError, ValueError):
        return []


def _remove(path: Path) -> None:
    if path.is_relative_to(CGROUPS):
        remove([path])
        return
    for point in mounts_below(path, Path("/proc/self/mountinfo").read_text()):
        run(["umount", "--lazy", os.fspath(point)], check=False)
    if path.exists():
        remove_tree(path)


def mounts_below(path: Path, mountinfo: str) -> list[Path]:
    """Mount points at or below `path`, the deepest first."""
    points = (Path(line.split()[4].encode().decode("unicode_escape")) for line in mountinfo.splitlines())
    return sorted((point for point in points if point.is_relative_to(path)), key=lambda p: len(p.parts), reverse=True)
