"""Compressed files of pieces that were compressed before: one xz stream of many blocks, many frames of Zstandard.

An index of 50,000 packages is 50 MB of text; when one of them changes, one piece in some hundred is compressed again.
The format: https://tukaani.org/xz/xz-file-format.txt, sections 2 (stream), 3 (block), 4 (index).
"""

from __future__ import annotations

import lzma
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from zlib import crc32

import zstandard

DICTIONARY_BITS = 20  # 1 MiB: no piece is much larger
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << DICTIONARY_BITS}]
ZSTD_LEVEL = 12
FLAGS = b"\x00\x01"  # the check of each block is a CRC32
HEADER = b"\xfd7zXZ\x00" + FLAGS + struct.pack("<I", crc32(FLAGS))
LZMA2 = b"\x21\x01" + bytes([(DICTIONARY_BITS - 12) * 2])  # its id, the size of its properties, the dictionary
CHECK_BYTES = 4


@dataclass(frozen=True)
class Block:
    """A compressed piece: `content` is a whole block, padded; `unpadded` and `size` are what the index says of it."""

    content: bytes
    unpadded: int  # bytes, without the padding
    size: int  # bytes of the piece itself


def xz_block(piece: bytes) -> Block:
    """A piece of a file as a block of an xz stream."""
    packed = lzma.compress(piece, format=lzma.FORMAT_RAW, filters=FILTERS)
    header = _block_header()
    unpadded = len(header) + len(packed) + CHECK_BYTES
    content = header + packed + bytes(-len(packed) % 4) + struct.pack("<I", crc32(piece))
    return Block(content, unpadded, len(piece))


def xz_stream(blocks: Iterable[Block]) -> Iterator[bytes]:
    """The bytes of an xz file of these blocks."""
    yield HEADER
    records = []
    for block in blocks:
        records.append(_number(block.unpadded) + _number(block.size))
        yield block.content
    index = b"\x00" + _number(len(records)) + b"".join(records)
    index += bytes(-len(index) % 4)
    yield index + struct.pack("<I", crc32(index))
    end = struct.pack("<I", (len(index) + 4) // 4 - 1) + FLAGS
    yield struct.pack("<I", crc32(end)) + end + b"YZ"


def zstd_frame(piece: bytes) -> bytes:
    """A piece of a file as a frame; a file is frames, one after the other."""
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(piece)


def _block_header() -> bytes:
    fields = b"\x00" + LZMA2  # flags: one filter, sizes are in the index only
    fields += bytes(-(1 + len(fields)) % 4)
    header = bytes([(1 + len(fields) + 4) // 4 - 1]) + fields
    return header + struct.pack("<I", crc32(header))


def _number(value: int) -> bytes:
    """Seven bits a byte, the least first; the highest bit says that more follow."""
    found = b""
    while value >= 0x80:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])
