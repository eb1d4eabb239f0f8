"""Looks through the log for compilers that ran without the hardening flags, by the suite's blhc."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from chroots.engine.plugins.plugin import Context, Plugin, PluginFailed
from chroots.engine.plugins.rooms import RESULTS, room, said

NOTHING_COMPILED, NOT_VERBOSE, MISSING = 1, 4, 8  # bits of blhc's exit status
SHOWN = 12


class Hardening(Plugin):
    """Fails where flags are missing; its report is `blhc.txt`."""

    OPTIONS: ClassVar[Mapping[str, Any]] = {"all": False}  # --all: position independent, with immediate binding

    def post_build(self, context: Context) -> None:
        more = ["--all"] if self.options["all"] else []
        with room(context, ["blhc"]) as root:
            status, output = said(root, ["blhc", *more, f"{RESULTS}/build.log"], read_only={RESULTS: context.output})
        context.report("blhc.txt", output)
        context.say(f"blhc: {judged(status, output)}")


def judged(status: int, output: str) -> str:
    """What blhc's exit status means. Raises: PluginFailed where flags are missing, or blhc did not work."""
    lines = [line for line in output.splitlines() if line.strip()]
    if status & MISSING:
        missing = [line for line in lines if " missing (" in line]
        found = missing or lines
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise PluginFailed(f"blhc found {found[0][:300]}{more}", cause="compile", lines=found[:SHOWN])
    if status & ~(NOTHING_COMPILED | NOT_VERBOSE):
        raise PluginFailed(f"blhc exited with status {status}: {lines[-1] if lines else 'nothing said'}")
    if status & NOT_VERBOSE:
        return "the log does not show how the compiler was called"
    return "no compiler was called" if status & NOTHING_COMPILED else "all compilers were called with hardening flags"
