"""The log of one build: what programs say, and a line where each phase begins and ends."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from debatomic.tools.errors import Kind, ToolError
from debatomic.tools.progress import Progress

TAIL_BYTES = 1 << 20


class Journal:
    """Writes to the log file and to `echo`, remembers its end, and times the phases; `limit` is in bytes."""

    def __init__(self, file: IO[bytes], phases: Sequence[str], *, echo: Callable[[bytes], object], progress: Progress,
                 limit: int, what: str = "build"):  # fmt: skip
        self.seconds: list[tuple[str, float]] = []
        self.current = ""  # the phase we are in, or were in last
        self._file = file
        self._what = what  # has this log
        self._phases = phases
        self._echo = echo
        self._progress = progress
        self._limit = self._room = limit
        self._tail: deque[bytes] = deque()
        self._tail_size = 0

    def __call__(self, chunk: bytes) -> None:
        """Take what a program wrote.

        Raises: ToolError once that is more than the limit; what fits is kept.
        """
        fits, self._room = chunk[: self._room], max(0, self._room - len(chunk))
        self._write(fits)
        if len(fits) < len(chunk):
            raise ToolError(f"The {self._what} wrote more than its log limit of {self._limit >> 20} MiB and was "
                            "killed.", kind=Kind.KILLED)  # fmt: skip

    def _write(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self._file.flush()
        self._echo(chunk)
        self._tail.append(chunk)
        self._tail_size += len(chunk)
        while self._tail and self._tail_size - len(self._tail[0]) >= TAIL_BYTES:
            self._tail_size -= len(self._tail.popleft())

    def tail(self) -> str:
        """The last mebibyte, as text."""
        return b"".join(self._tail).decode(errors="replace")

    def say(self, line: str) -> None:
        """Our own line; there is always room for it."""
        self._write(f"{line}\n".encode())

    def report(self, fraction: float, detail: str = "") -> None:
        """How far (0 to 1) the phase is."""
        self._progress.report(fraction, detail)

    @contextmanager
    def phase(self, name: str, detail: str = "") -> Iterator[None]:
        """A section of the log, and its seconds."""
        self.current = name
        self._progress.phase(name, number=self._phases.index(name) + 1, detail=detail)
        self.say(f"== PHASE {name}" + (f" ({detail})" if detail else ""))
        started = time.monotonic()
        try:
            yield
        finally:
            seconds = time.monotonic() - started
            self.seconds.append((name, round(seconds, 3)))
            self.say(f"== PHASE {name}: {seconds:.3f} s")
