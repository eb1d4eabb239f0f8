"""Which parts of a disk image are not zero: only they are written, once the disk is."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

BLOCK = 1 << 20
LONGEST = 128 * BLOCK  # what is written and read back at a time
ZERO = bytes(BLOCK)


def pieces(image: Path, *, longest: int = LONGEST) -> Iterator[tuple[int, int]]:
    """Start and length, in bytes, of what is not zero, by whole blocks: of the content, wherever the file has holes."""
    start = end = 0
    for at, size in _blocks(image):
        if at != end or end - start >= longest:
            if end > start:
                yield start, end - start
            start = at
        end = at + size
    if end > start:
        yield start, end - start


def _blocks(image: Path) -> Iterator[tuple[int, int]]:
    with image.open("rb", buffering=0) as file:
        at = _next(file.fileno(), 0)
        while at >= 0:
            file.seek(at)
            block = file.read(BLOCK)
            if block != ZERO[: len(block)]:
                yield at, len(block)
            at = _next(file.fileno(), at + BLOCK)


def _next(fd: int, at: int) -> int:
    """The block with the next data of a file, whose holes are passed over; -1 if there is none."""
    try:
        return os.lseek(fd, at, os.SEEK_DATA) // BLOCK * BLOCK
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return -1
