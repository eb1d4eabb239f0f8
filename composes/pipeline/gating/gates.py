"""Verdicts: what each gate of a compose said, and whether it may be published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from composes.pipeline.treefiles.checks import BLOCK, OFF, Checks
from debatomic.tools.errors import CommandFailed, Kind, ToolError

PASSED, WARNED, FAILED, SKIPPED = "passed", "warned", "failed", "skipped"
DETAILS = 40  # lines kept
# A gate says no by these; any other failure is the host's or the treefile's, and ends the compose.
SAYS_NO = (Kind.BUILD, Kind.TIMEOUT, Kind.SILENCE)


class GateFailed(ToolError):
    """A gate says no; `gate` if it is another than the stage's, `facts` are what is known of the stage all the same."""

    def __init__(self, message: str, *, gate: str = "", facts: dict[str, Any] | None = None, lines: Sequence[str] = ()):
        super().__init__(message, lines=lines)
        self.gate = gate
        self.facts = facts or {}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one gate said. `name` is the gate's, as in `boot-bios`; `level` what the treefile says of it."""

    name: str
    level: str
    verdict: str  # passed, warned, failed or skipped
    sentence: str
    seconds: float = 0.0
    details: tuple[str, ...] = ()

    @property
    def blocks(self) -> bool:
        return self.verdict == FAILED


def passed(name: str, checks: Checks, sentence: str, seconds: float = 0.0) -> Verdict:
    return Verdict(name=name, level=checks.level(key(name)), verdict=PASSED, sentence=sentence,
                   seconds=round(seconds, 1))  # fmt: skip


def refused(name: str, checks: Checks, sentence: str, seconds: float = 0.0, details: Iterable[str] = ()) -> Verdict:
    """A no: it blocks or warns as the treefile says."""
    level = checks.level(key(name))
    return Verdict(name=name, level=level, verdict=FAILED if level == BLOCK else WARNED, sentence=sentence,
                   seconds=round(seconds, 1), details=tuple(details)[:DETAILS])  # fmt: skip


def skipped(name: str, checks: Checks, sentence: str) -> Verdict:
    return Verdict(name=name, level=checks.level(key(name)), verdict=SKIPPED, sentence=sentence)


def switched_off(name: str, checks: Checks) -> bool:
    return checks.level(key(name)) == OFF


def key(name: str) -> str:
    """The gate's name in a treefile: `boot` for `boot-uefi`, `iso` for `boot-iso-uefi`."""
    if name.startswith("boot-"):
        return "iso" if name.startswith("boot-iso-") else "boot"
    return name


def says_no(error: ToolError) -> bool:
    """Whether it is what a gate saw; a program of ours that failed is not."""
    return error.kind in SAYS_NO and not isinstance(error, CommandFailed)


def blocking(verdicts: Iterable[Verdict]) -> list[Verdict]:
    return [each for each in verdicts if each.blocks]


def blocked(verdicts: Iterable[Verdict]) -> ToolError | None:
    """The failure of a compose whose gates do not let it be published; None if they do."""
    if not (found := blocking(verdicts)):
        return None
    more = f" ({len(found) - 1} more gates block, too.)" if len(found) > 1 else ""
    return ToolError(f"The gate {found[0].name} blocks: {found[0].sentence}{more}", lines=found[0].details)
