"""The two places a log is read from: the file that grows, and the sealed artifact."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from hosts.kept import seekable, store


class Growing:
    """A log's file on disk. It can be read to its end also when it is sealed and unlinked meanwhile."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)

    @property
    def size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def read(self, offset: int, limit: int) -> bytes:
        return os.pread(self._file.fileno(), limit, offset)

    def close(self) -> None:
        self._file.close()


class Sealed:
    """A log in the artifact store; only the frames that are asked for are decompressed."""

    def __init__(self, sha256: str, size: int) -> None:
        self.sha256 = sha256
        self.size = size

    def read(self, offset: int, limit: int) -> bytes:
        end = min(offset + limit, self.size)
        pieces = []
        while offset < end:
            table = _table(self.sha256)
            number = table.frame_at(offset)
            start = offset - table.plain[number]
            pieces.append(_frame(self.sha256, number)[start : start + end - offset])
            offset += len(pieces[-1])
        return b"".join(pieces)

    def close(self) -> None:
        """Nothing is held open between two reads."""


@lru_cache(maxsize=64)
def _table(sha256: str) -> seekable.Table:
    with store.open(sha256) as file:
        return seekable.read_table(file)


@lru_cache(maxsize=16)  # of 1 MiB each, per process: neighbours in time read the same frames
def _frame(sha256: str, number: int) -> bytes:
    with store.open(sha256) as file:
        return seekable.read_frame(file, _table(sha256), number)
