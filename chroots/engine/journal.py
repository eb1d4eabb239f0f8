"""The log of one build: what programs say, and a line where each phase begins and ends."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from debatomic.tools.progress import Progress

TAIL_BYTES = 1 << 20


class Journal:
    """Writes to the log file and to `echo`, remembers its end, and times the phases."""

    def __init__(self, file: IO[bytes], phases: Sequence[str], *, echo: Callable[[bytes], object], progress: Progress):
        self.seconds: list[tuple[str, float]] = []
        self.current = ""  # the phase we are in, or were in last
        self._file = file
        self._phases = phases
        self._echo = echo
        self._progress = progress
        self._tail: deque[bytes] = deque()
        self._tail_size = 0

    def __call__(self, chunk: bytes) -> None:
        """Take what a program wrote."""
        self._file.write(chunk)
        self._file.flush()
        self._echo(chunk)
        self._tail.append(chunk)
        self._tail_size += len(chunk)
        while self._tail_size - len(self._tail[0]) >= TAIL_BYTES:
            self._tail_size -= len(self._tail.popleft())

    def tail(self) -> str:
        """The last mebibyte, as text."""
        return b"".join(self._tail).decode(errors="replace")

    def say(self, line: str) -> None:
        self(f"{line}\n".encode())

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
