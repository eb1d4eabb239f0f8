"""The same packages make the same base, bit for bit: no traces of when and where it was made, and its digest."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chroots.engine.archives.release import Release
from debatomic.tools.errors import InputError
from debatomic.tools.run import Output, run

EPOCH_VARIABLE = "SOURCE_DATE_EPOCH"
# Logs, caches and copies made in passing; what has them again makes them again.
TRACES = ("var/log/**/*.log", "var/log/apt/*", "var/cache/ldconfig/aux-cache", "var/cache/apt/*.bin",
          "var/cache/debconf/*-old", "var/lib/dpkg/*-old", "var/lib/dbus/machine-id", "var/lib/apt/periodic/*",
          "tmp/*", "run/*")  # fmt: skip
EMPTY = ("etc/machine-id",)
# A tar of a tree as it is, the same for the same tree.
PACKED = ("tar", "--create", "--force-local", "--format=posix", "--sort=name",
          "--numeric-owner", "--xattrs", "--xattrs-include=*",
          "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime")  # fmt: skip


def epoch(releases: Sequence[Release]) -> int:
    """No file is dated later (seconds since 1970): $SOURCE_DATE_EPOCH, else when the archives last changed."""
    given = os.environ.get(EPOCH_VARIABLE, "")
    if given and not given.isdigit():
        raise InputError(f"{EPOCH_VARIABLE} is '{given}', but must be a number of seconds since 1970.")
    return int(given) if given else max(release.dated_at for release in releases) or int(time.time())


def without_traces(tree: Path, latest: int, log: Output) -> None:
    """Remove what differs each time, date everything `latest` at most, and give apt its cache, which looks at dates."""
    for pattern in TRACES:
        for path in tree.glob(pattern):
            if path.is_symlink() or not path.is_dir():
                path.unlink()
    for name in EMPTY:
        if (tree / name).exists():
            (tree / name).write_bytes(b"")
    _date(tree, latest)
    run(["chroot", os.fspath(tree), "apt-cache", "gencaches"], log=log, env={EPOCH_VARIABLE: str(latest)})
    _date(tree, latest)


def _date(tree: Path, latest: int) -> None:
    for path, found in _entries(tree):
        if found.st_mtime_ns > latest * 10**9:
            os.utime(path, (latest, latest), follow_symlinks=False)


def tree_digest(tree: Path) -> str:
    """SHA-256 of all there is below `tree`: names, kinds, owners, permissions, dates, attributes, links and content."""
    reading, writing = os.pipe()
    with ThreadPoolExecutor(1) as hashing, os.fdopen(reading, "rb") as packed:  # faster than sha256sum
        digest = hashing.submit(hashlib.file_digest, packed, "sha256")
        try:
            run([*PACKED, f"--file=/dev/fd/{writing}", f"--directory={tree}", "."], pass_fds=[writing])
        finally:
            os.close(writing)
        return digest.result().hexdigest()


def _entries(tree: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Everything below, the tree itself first, folders by name."""
    root = os.fspath(tree)
    yield root, os.lstat(root)
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted([*folders, *files]):
            path = os.path.join(folder, name)  # noqa: PTH118 - many files: a Path each is slow
            yield path, os.lstat(path)
