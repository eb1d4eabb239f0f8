"""zstd in independent frames with a table of them at the end: `zstd -d` reads it, and so can we from any offset.

https://github.com/facebook/zstd/blob/dev/contrib/seekable_format/zstd_seekable_compression_format.md
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import IO

from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError

__all__ = ["FRAME_BYTES", "Table", "ZstdError", "pack", "read_frame", "read_table"]

FRAME_BYTES = 1024 * 1024  # of content
LEVEL = 6
TABLE_MAGIC = 0x184D2A5E  # a skippable frame, to everyone else
FOOTER_MAGIC = 0x8F92EAB1
FOOTER = struct.Struct("<IBI")  # frames, descriptor, magic
ENTRY = struct.Struct("<II")  # compressed and plain bytes of one frame


@dataclass(frozen=True)
class Table:
    """Where frames begin: in the file and in the content; one entry more than frames."""

    packed: tuple[int, ...]
    plain: tuple[int, ...]

    @property
    def size(self) -> int:
        return self.plain[-1]

    def frame_at(self, offset: int) -> int:
        """The number of the frame that holds this byte of the content."""
        return bisect_right(self.plain, offset) - 1


def pack(source: IO[bytes], to: IO[bytes]) -> int:
    """Compress `source` into `to`, one frame in memory at a time. Returns the bytes of content."""
    entries = []
    compressor = ZstdCompressor(level=LEVEL, write_checksum=True)
    while chunk := source.read(FRAME_BYTES):
        frame = compressor.compress(chunk)
        to.write(frame)
        entries.append((len(frame), len(chunk)))
    table = b"".join(ENTRY.pack(*entry) for entry in entries) + FOOTER.pack(len(entries), 0, FOOTER_MAGIC)
    to.write(struct.pack("<II", TABLE_MAGIC, len(table)) + table)
    return sum(plain for _, plain in entries)


def read_table(file: IO[bytes]) -> Table:
    """The table of a packed file. Raises ValueError where there is none."""
    end = file.seek(0, os.SEEK_END)
    if end < FOOTER.size:
        raise ValueError("no table of frames")
    file.seek(end - FOOTER.size)
    count, descriptor, magic = FOOTER.unpack(file.read(FOOTER.size))
    if magic != FOOTER_MAGIC or descriptor != 0 or count * ENTRY.size > end:
        raise ValueError("no table of frames")
    file.seek(end - FOOTER.size - count * ENTRY.size)
    entries = list(ENTRY.iter_unpack(file.read(count * ENTRY.size)))
    starts = (tuple(accumulate((entry[column] for entry in entries), initial=0)) for column in (0, 1))
    return Table(*starts)


def read_frame(file: IO[bytes], table: Table, number: int) -> bytes:
    """The content of one frame. Raises ZstdError when it is damaged."""
    start, end = list(pairwise(table.packed))[number]
    file.seek(start)
    return ZstdDecompressor().decompress(file.read(end - start), max_output_size=FRAME_BYTES)
