"""The objects of an OSTree commit with their sizes: what a machine that has another commit must download."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

CHECKSUM_DIGITS = 20  # of 64: 80 bits tell a commit's objects apart


def listed(repository: Path) -> Iterator[tuple[str, int]]:
    """Each object of an archive repository (a part of its checksum and its kind) and its bytes as downloaded."""
    for folder in sorted((repository / "objects").iterdir()):
        for entry in sorted(os.scandir(folder), key=lambda each: each.name):
            checksum, _, kind = entry.name.partition(".")
            yield f"{(folder.name + checksum)[:CHECKSUM_DIGITS]}.{kind}", entry.stat().st_size


def write(repository: Path, path: Path) -> tuple[int, int]:
    """List the objects of a repository in a compressed file, a line each; how many and how many bytes they are."""
    found = list(listed(repository))
    content = "".join(f"{name} {size}\n" for name, size in found).encode()
    path.write_bytes(gzip.compress(content, 6, mtime=0))
    return len(found), sum(size for _, size in found)


def read(content: bytes) -> dict[bytes, int]:
    """Sizes by object, from such a file unpacked. Raises: ValueError."""
    words = content.split()
    return dict(zip(words[::2], map(int, words[1::2]), strict=True))


def fresh(old: dict[bytes, int], new: dict[bytes, int]) -> tuple[int, int]:
    """How many objects of the new commit the old one has not, and their bytes: the size of the update."""
    sizes = [new[name] for name in new.keys() - old.keys()]
    return len(sizes), sum(sizes)
