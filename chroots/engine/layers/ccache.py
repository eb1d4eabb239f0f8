"""A compiler cache for builds of the same source package in the same chroot; no other build reads what one wrote.

What a build compiles is only as good as its cache, and a build can put anything there. So a cache belongs to one source
package in one chroot, is off unless asked for, and only a build that succeeded leaves its own: the next build sees
that below a layer it writes on, within its disk limit.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from chroots.engine.layers.base import Layer
from chroots.engine.layers.overlay import overlay
from chroots.engine.spec import BUILDER_UID
from chroots.engine.state import LOCK, State, discard, locked_now, temporary

PLACE = "/run/ccache"
COMPILERS = "/usr/lib/ccache"  # has a link for each compiler
FILES_AT_MOST = 200_000


@dataclass(kw_only=True)
class CompilerCache:
    """What a build with a cache needs; nothing, for one without."""

    environment: dict[str, str] = field(default_factory=dict)
    writable: dict[str, Path] = field(default_factory=dict)  # what is seen where: path inside, folder outside
    succeeded: bool = False  # to be set by the build: then what is in there now is kept


@contextmanager
def compiler_cache(home: Path, size: int, work: Path, space: Path, path: str) -> Iterator[CompilerCache]:
    """The cache in `home`, at most `size` bytes (0 for none), for one build with the search path `path`."""
    if not size:
        yield CompilerCache()
        return
    upper, at = space / "ccache", work / "ccache"
    changes = upper / "changes"
    changes.mkdir(parents=True)
    os.chown(changes, BUILDER_UID, BUILDER_UID)
    with ExitStack() as undo:
        before = newest(home)
        if before:
            undo.enter_context(overlay([before], at, upper=upper))
        seen = at if before else changes
        cache = CompilerCache(environment=environment(size, path), writable={PLACE: seen})
        yield cache
        if cache.succeeded:
            _keep(home, seen, changes, before, size)
    _remove_old(home)


def environment(size: int, path: str) -> dict[str, str]:
    """What makes compilers use the cache; a compiler counts as the same if its file is."""
    return {"PATH": f"{COMPILERS}:{path}", "CCACHE_DIR": PLACE, "CCACHE_MAXSIZE": f"{size >> 10}Ki",
            "CCACHE_COMPILERCHECK": "content", "CCACHE_UMASK": "022",
            "CCACHE_TEMPDIR": "/tmp", "CCACHE_NOINODECACHE": "1"}  # noqa: S108 - the build's own  # fmt: skip


def cache_home(state: State, chroot: str, source: str) -> Path:
    """Where the caches of a source package in a chroot (its key) are."""
    return state.ccache / chroot / source


def newest(home: Path) -> Layer | None:
    """The cache that the last successful build left."""
    found = sorted(home.glob("[0-9]*/tree"), key=lambda tree: int(tree.parent.name))
    return Layer(identity=found[-1].parent.name, tree=found[-1]) if found else None


def _keep(home: Path, seen: Path, changes: Path, before: Layer | None, size: int) -> None:
    with temporary(home) as scratch:
        new = scratch / "new"
        new.mkdir()
        tree = new / "tree"
        tree.mkdir()
        os.chown(tree, BUILDER_UID, BUILDER_UID)
        for path, name in plain_files(seen, size):
            target = tree / name
            _make_folders(tree, target.parent)
            if before and not (changes / name).exists():
                os.link(before.tree / name, target)
            else:
                _copy(path, target)
        new.rename(home / str(time.time_ns()))


def plain_files(folder: Path, size: int) -> list[tuple[Path, str]]:
    """The files below, used last first, as many as fit into `size` bytes. No program of the build lives any more."""
    found = []
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            about = path.lstat()
            if stat.S_ISREG(about.st_mode):
                found.append((about.st_mtime_ns, about.st_blocks * 512, path))
    kept = []
    for _, bytes_used, path in sorted(found, reverse=True)[:FILES_AT_MOST]:
        size -= bytes_used
        if size < 0:
            break
        kept.append((path, os.fspath(path.relative_to(folder))))
    return kept


def _make_folders(tree: Path, folder: Path) -> None:
    missing: Sequence[Path] = [each for each in (folder, *folder.parents) if each.is_relative_to(tree)
                               and not each.exists()]  # fmt: skip
    for each in reversed(missing):
        each.mkdir()
        os.chown(each, BUILDER_UID, BUILDER_UID)


def _copy(path: Path, target: Path) -> None:
    shutil.copyfile(path, target, follow_symlinks=False)
    os.chown(target, BUILDER_UID, BUILDER_UID)
    found = path.lstat()
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def _remove_old(home: Path) -> None:
    """All but the newest, unless another build still reads them."""
    last = newest(home)
    for tree in home.glob("[0-9]*/tree"):
        if not last or tree != last.tree:
            remove(tree.parent)


def remove(folder: Path) -> bool:
    """Remove one cache that no build uses; whether it went."""
    with suppress(FileNotFoundError), locked_now(folder / LOCK) as unused:
        if unused:
            discard(folder)
        return unused
    return True  # somebody else was faster


def all_of(state: State) -> list[Path]:
    """The folders of all compiler caches; their names are when they were made, in nanoseconds since 1970."""
    return [tree.parent for tree in state.ccache.glob("*/*/[0-9]*/tree")]


def evict(state: State, oldest: float) -> None:
    """Remove the caches that no build renewed since `oldest` (seconds since 1970)."""
    for folder in all_of(state):
        if int(folder.name) < oldest * 1e9:
            remove(folder)
