"""A builder looks at its own machine now and then, beside its work: can builds run here at all?

What registered programs (registry.register_examination) say is missing twice in a row is a problem; it goes into every
report until they say that it is there again.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings

from debatomic.tools.errors import ToolError
from debatomic.tools.run import run

logger = logging.getLogger(__name__)

TIME_LIMIT = 60.0
AGAIN_SECONDS = 15.0  # after something was missing

Problem = dict[str, str]


def failing(command: Sequence[str], ignored: Collection[str] = ()) -> list[Problem]:
    """What this program finds missing that is needed, but for what is ignored by name."""
    try:
        told = run(command, capture=True, check=False, time_limit=TIME_LIMIT, cwd=Path(settings.BASE_DIR))
        checks: list[dict[str, Any]] = json.loads(told.stdout)["checks"]
    except ToolError as error:
        return [{"name": "examination", "found": error.sentence, "mend": ""}]
    except (ValueError, KeyError, TypeError):
        return [{"name": "examination", "found": f"{told.stdout.strip()[-300:] or 'it said nothing'}", "mend": ""}]
    return [
        {"name": str(one["name"]), "found": str(one["found"]), "mend": str(one.get("mend", ""))}
        for one in checks if one.get("needed", True) and not one["ok"] and one["name"] not in ignored
    ]  # fmt: skip


class Examiner:
    """Runs the programs in a thread of their own; `problems` is what they agreed on last."""

    def __init__(self, commands: Sequence[Sequence[str]], *, seconds: float, again: float = AGAIN_SECONDS) -> None:
        self.commands = commands
        self.seconds = seconds
        self.again = again
        self.problems: list[Problem] = []
        self._missing: set[str] = set()
        self._thread: threading.Thread | None = None
        self._due = 0.0

    @property
    def is_running(self) -> bool:
        """Its programs are children that nobody else may reap now."""
        return self._thread is not None and self._thread.is_alive()

    def look(self) -> None:
        """Begin to examine when it is time."""
        if not self.seconds or not self.commands or self.is_running or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + TIME_LIMIT  # set anew at its end
        self._thread = threading.Thread(target=self.examine, daemon=True, name="examination")
        self._thread.start()

    def examine(self) -> None:
        """Run all programs once, and hold against the machine what was missing last time, too."""
        try:
            found = [one for command in self.commands for one in failing(command, settings.IGNORED_CHECKS)]
        except Exception:  # the next examination comes
            logger.exception("This machine could not be examined")
            found = []
        names = {one["name"] for one in found}
        self.problems = [one for one in found if one["name"] in self._missing]
        self._missing = names
        self._due = time.monotonic() + (self.again if names else self.seconds)
