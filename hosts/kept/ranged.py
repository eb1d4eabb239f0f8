"""A file elsewhere that is read by ranges of bytes: it seeks, and goes on where a connection broke."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from contextlib import closing
from typing import Any

from botocore.exceptions import BotoCoreError

from debatomic.tools.errors import InfrastructureError

WINDOW = 8 * 1024 * 1024  # bytes asked for at once: who reads slowly holds no connection for hours
TRIES = 3


class Ranged(io.RawIOBase):
    """`fetch(first, end)` gives something to read those bytes from, and may raise ToolError, FileNotFoundError."""

    def __init__(self, fetch: Callable[[int, int], Any], size: int) -> None:
        self._fetch = fetch
        self._size = size
        self._at = 0
        self._body: Any = None
        self._ends = 0  # where the body does

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"There is no byte {start + offset}.")
        if start + offset != self._at:
            self._drop()
            self._at = start + offset
        return self._at

    def readinto(self, into: Any) -> int:
        view = memoryview(into).cast("B")
        if not len(view) or self._at >= self._size:
            return 0
        for _ in range(TRIES):
            if piece := self._read(len(view)):
                view[: len(piece)] = piece
                self._at += len(piece)
                return len(piece)
        raise InfrastructureError(f"The artifact storage broke off at byte {self._at}.", hint="Try again later.")

    def close(self) -> None:
        self._drop()
        super().close()

    def _read(self, most: int) -> bytes:
        """Some of what comes next; empty when the connection broke."""
        if self._body is None or self._at >= self._ends:
            self._drop()
            self._ends = min(self._at + WINDOW, self._size)
            self._body = self._fetch(self._at, self._ends)
        try:
            piece: bytes = self._body.read(min(most, self._ends - self._at))
        except (BotoCoreError, ConnectionError):
            piece = b""
        if not piece:
            self._drop()
        return piece

    def _drop(self) -> None:
        if self._body is not None:
            with closing(self._body):
                self._body = None
