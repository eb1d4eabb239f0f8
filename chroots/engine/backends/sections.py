"""What another tool says, in the sections the engine's own builds have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from chroots.engine.journal import Journal

LINE_LIMIT = 1 << 16  # bytes of a line that is waited for


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Where a phase begins: at the first line that matches."""

    line: re.Pattern[bytes]
    phase: str
    detail: str = ""


class Sections:
    """A log for `run` that begins a phase of the journal at each mark, in the order of the marks and once each.

    A package that prints a mark itself can at most end the phase before its own.
    """

    def __init__(self, journal: Journal, marks: Sequence[Mark], noise: re.Pattern[bytes]) -> None:
        self.phase = ""
        self._journal = journal
        self._marks = list(marks)
        self._noise = noise
        self._partial = b""
        self._section = ExitStack()

    def __call__(self, chunk: bytes) -> None:
        *lines, self._partial = (self._partial + chunk).splitlines(keepends=True) or [b""]
        if self._partial.endswith(b"\n") or len(self._partial) > LINE_LIMIT:
            lines, self._partial = [*lines, self._partial], b""
        for line in lines:
            self._line(line)

    def _line(self, line: bytes) -> None:
        if self._marks and self._marks[0].line.match(line):
            self.begin(self._marks.pop(0))
        if not self._noise.match(line):
            self._journal(line)

    def begin(self, mark: Mark) -> None:
        self._section.close()
        self.phase = mark.phase
        self._section.enter_context(self._journal.phase(mark.phase, mark.detail))

    def close(self) -> None:
        """End the last phase."""
        try:
            if self._partial:
                self._line(self._partial)
        finally:
            self._section.close()
