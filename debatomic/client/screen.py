"""What a person sees while something runs: the log, and beneath it one line that says how far it is."""

from __future__ import annotations

import re
import shutil
import sys
from typing import TextIO

COLOURS = re.compile(r"\x1b\[[0-9;:]*m")
ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~]?)"
)
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f\x80-\x9f]")


def harmless(text: str, *, colours: bool) -> str:
    """Text of a log that cannot steer the terminal: colours may stay, everything else of that kind goes."""
    kept = ESCAPES.sub(lambda found: found[0] if colours and COLOURS.fullmatch(found[0]) else "", text)
    return CONTROLS.sub("", kept.replace("\r\n", "\n").replace("\r", "\n"))


class Screen:
    """Log to `out`, state to `status`: rewritten in place on a terminal, a line for each change elsewhere."""

    def __init__(self, out: TextIO | None = None, status: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._status = status or sys.stderr
        self._is_terminal = self._status.isatty()
        self._shown = ""
        self._wanted = ""

    def log(self, text: str) -> None:
        """Whole lines of a log."""
        self._clear()
        self._out.write(harmless(text, colours=self._out.isatty()))
        self._out.flush()
        self._draw()

    def say(self, sentence: str) -> None:
        """A line that stays."""
        self._clear()
        print(sentence, file=self._status, flush=True)
        self._draw()

    def state(self, line: str) -> None:
        """How far it is; the last such line takes the place of the one before."""
        if line == self._wanted:
            return
        self._wanted = line
        if self._is_terminal:
            self._clear()
            self._draw()
        elif line:
            print(f"== {line}", file=self._status, flush=True)

    def close(self) -> None:
        self._clear()
        self._wanted = ""

    def _clear(self) -> None:
        if self._shown:
            self._status.write("\r\x1b[K")
            self._status.flush()
            self._shown = ""

    def _draw(self) -> None:
        if self._is_terminal and self._wanted:
            width = shutil.get_terminal_size().columns - 1
            self._shown = harmless(self._wanted, colours=False)[:width]
            self._status.write(self._shown)
            self._status.flush()
