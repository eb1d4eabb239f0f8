"""The way of a log from a program to the hub: kept on the host as it comes, sent on within a tenth of a second."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from debatomic.tools.errors import Kind, ToolError
from hosts.builder.connection import Unreachable

PIECE = 256 * 1024
PIECES_AT_ONCE = 16  # then the heartbeat has its turn
PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0

Send = Callable[[int, bytes], int]


class Pump:
    """Takes bytes with `write`, gives them to `send(offset, bytes) -> next offset` from `flush`.

    While the hub is unreachable bytes stay in the spool; nothing is lost, and nothing doubled, since `send` says where
    to go on.
    """

    def __init__(self, spool: Path, send: Send) -> None:
        self._fd = os.open(spool, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._send = send
        self._written = 0
        self._sent = 0
        self._refused = False
        self._next_at = 0.0
        self._pause = PAUSE_SECONDS

    def __enter__(self) -> Pump:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._fd)

    @property
    def is_empty(self) -> bool:
        """Nothing is left to send, or the hub takes no more."""
        return self._refused or self._sent >= self._written

    def write(self, data: bytes) -> None:
        """Take more of the log; it is sent at once unless something was sent just before.

        Raises what `flush` raises, and ToolError of kind DISK.
        """
        view = memoryview(data)
        try:
            while view:
                count = os.pwrite(self._fd, view, self._written)
                view, self._written = view[count:], self._written + count
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise ToolError("This host's disk is full: the log cannot be kept.", kind=Kind.DISK) from error
        self.flush()

    def has_just_said(self, text: str) -> bool:
        """Whether the end of the log has this text, as that of a program that tells its failure itself."""
        data = text.encode()
        start = max(0, self._written - len(data) - 80)
        return data in os.pread(self._fd, self._written - start, start)

    def flush(self) -> None:
        """Send what is due. Raises ClaimLost, and ToolError for what the hub refuses; never Unreachable."""
        moment = time.monotonic()
        if self.is_empty or moment < self._next_at:
            return
        try:
            for _ in range(PIECES_AT_ONCE):
                if not self._send_piece():
                    break
            self._pause = PAUSE_SECONDS
        except Unreachable:
            self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        except ToolError:
            self._refused = True
            raise
        self._next_at = time.monotonic() + self._pause

    def _send_piece(self) -> bool:
        piece = os.pread(self._fd, PIECE, self._sent)
        if piece:
            self._sent = self._send(self._sent, piece)
        return bool(piece)
