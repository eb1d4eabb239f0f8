"""Runs the suite's lintian on what a build made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from chroots.engine.plugins.plugin import Context, Plugin, PluginFailed
from chroots.engine.plugins.rooms import RESULTS, room, said
from debatomic.tools.errors import InputError

TAG = re.compile(r"^(?P<level>[EWIPX]): (?P<package>\S+?)(?: \S+)?: (?P<tag>[a-z0-9-]+)")
LEVELS = {"error": "E", "warning": "EW", "none": ""}
SHOWN = 12


class Lintian(Plugin):
    """Fails where lintian finds an error; its report is `lintian.txt`."""

    OPTIONS: ClassVar[Mapping[str, Any]] = {"fail_on": "error", "suppress_tags": [], "profile": "debian"}

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        if self.options["fail_on"] not in LEVELS:
            raise InputError(f"The option fail_on must be one of {', '.join(LEVELS)}.")

    def post_build(self, context: Context) -> None:
        names = [name for name in context.files if name.endswith(".changes")]
        with room(context, ["lintian"]) as root:
            status, output = said(root, self.command(names), read_only={RESULTS: context.output})
        context.report("lintian.txt", output)
        judge(output, status, str(self.options["fail_on"]))
        context.say(f"lintian: {summary(output)}")

    def command(self, names: Sequence[str]) -> list[str]:
        suppressed = ",".join(map(str, self.options["suppress_tags"]))
        return [
            "lintian", "--fail-on=none", "--color=never", "--tag-display-limit=0",
            f"--profile={self.options['profile']}",
            *([f"--suppress-tags={suppressed}"] if suppressed else []), *(f"{RESULTS}/{name}" for name in names),
        ]  # fmt: skip


def judge(output: str, status: int, fail_on: str) -> None:
    """Raises: PluginFailed with the lines that are as bad as `fail_on`, or if lintian itself did not work."""
    if status:
        lines = output.splitlines()[-SHOWN:]
        raise PluginFailed(
            f"lintian exited with status {status}: {lines[-1] if lines else 'nothing said'}", lines=lines
        )
    found = [line for line in output.splitlines() if (match := TAG.match(line)) and match["level"] in LEVELS[fail_on]]
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise PluginFailed(f"lintian found {found[0]}{more}", cause="lintian", lines=found[:SHOWN])


def summary(output: str) -> str:
    """How many errors and warnings."""
    levels = [match["level"] for line in output.splitlines() if (match := TAG.match(line))]
    return f"{levels.count('E')} errors, {levels.count('W')} warnings"
