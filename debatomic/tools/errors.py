"""The one exception whose text is a sentence a user can act on."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from enum import StrEnum


class Kind(StrEnum):
    """Why something did not work; only INFRASTRUCTURE is retried by itself."""

    INPUT = "input"  # what was submitted is wrong
    DEP_WAIT = "dep-wait"  # build dependencies are missing
    BUILD = "build"  # the program that was run said no
    TIMEOUT = "timeout"
    SILENCE = "silence"
    KILLED = "killed"
    DISK = "disk"
    CANCELED = "canceled"
    INFRASTRUCTURE = "infrastructure"  # network, host, hub: another attempt may succeed
    INTERNAL = "internal"  # our own fault


class ToolError(Exception):
    """A failure told as one sentence, with a hint what to do and the log lines that decided it."""

    kind: Kind = Kind.BUILD

    def __init__(self, message: str, *, hint: str = "", kind: Kind | None = None, lines: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.hint = hint
        self.lines = tuple(lines)
        if kind is not None:
            self.kind = kind

    @property
    def sentence(self) -> str:
        """The message and what to do about it, as one text for people."""
        return f"{self} {self.hint}".strip()


class InputError(ToolError):
    """What was given is wrong; `field` names the form or request field where that is known."""

    kind = Kind.INPUT

    def __init__(self, message: str, *, hint: str = "", field: str = "", lines: Sequence[str] = ()) -> None:
        super().__init__(message, hint=hint, lines=lines)
        self.field = field


class InfrastructureError(ToolError):
    kind = Kind.INFRASTRUCTURE


class Canceled(ToolError):
    kind = Kind.CANCELED


class TimedOut(ToolError):
    """A wall-clock (TIMEOUT) or silence (SILENCE) limit ran out."""

    kind = Kind.TIMEOUT


class CommandFailed(ToolError):
    """A program ended with another status than 0; `tail` is the end of its output."""

    def __init__(self, args: Sequence[str], returncode: int, *, tail: str = "", kind: Kind | None = None) -> None:
        how = f"was killed by signal {-returncode}" if returncode < 0 else f"exited with status {returncode}"
        last = next((line.strip() for line in reversed(tail.splitlines()) if line.strip()), "")
        super().__init__(
            f"{args[0]} {how}{': ' + last[:300] if last else '.'}", kind=kind, lines=tail.splitlines()[-20:]
        )
        self.command = shlex.join(args)
        self.returncode = returncode
        self.tail = tail
