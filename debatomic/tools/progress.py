"""How a program of ours tells the one that started it how far it is: one JSON line per report, on a pipe."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable

from debatomic.tools.run import PROGRESS_FD_VARIABLE


class Progress:
    """Reports phases; where nobody listens on a pipe, a person gets a line on standard error.

    A report is `{"phase": str, "number": int, "total": int, "fraction": float, "detail": str}`: `number` counts
    phases from 1 to `total`, `fraction` (0 to 1) is within the phase.
    """

    def __init__(self, total: int, *, emit: Callable[[str], object] | None = None) -> None:
        self.total = total
        self.number = 0
        self.name = ""
        self._emit = emit or _pipe() or _stderr

    def phase(self, name: str, *, number: int | None = None, detail: str = "") -> None:
        """Begin the next phase (or the one with this number)."""
        self.number = number if number is not None else self.number + 1
        self.name = name
        self.report(0.0, detail)

    def report(self, fraction: float, detail: str = "") -> None:
        """Tell how far (0 to 1) the current phase is."""
        record = {"phase": self.name, "number": self.number, "total": self.total,
                  "fraction": round(max(0.0, min(1.0, fraction)), 3), "detail": detail}  # fmt: skip
        self._emit(json.dumps(record))


def _pipe() -> Callable[[str], object] | None:
    number = os.environ.get(PROGRESS_FD_VARIABLE, "")
    if not number.isdigit():
        return None

    def emit(line: str) -> None:
        try:
            os.write(int(number), line.encode() + b"\n")
        except OSError:
            pass  # nobody listens any more: progress is never worth a failure

    return emit


def _stderr(line: str) -> None:
    record = json.loads(line)
    if record["fraction"] == 0.0:
        detail = f" ({record['detail']})" if record["detail"] else ""
        print(f"[{record['number']}/{record['total']}] {record['phase']}{detail}", file=sys.stderr, flush=True)
