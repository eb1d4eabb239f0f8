"""One check over what a build made: a place to work, the check, what it said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chroots.engine.checking.check import Bench, CheckSpec
from chroots.engine.checking.table import check
from chroots.engine.isolation.screen import visible
from chroots.engine.layers import base as bases
from chroots.engine.layers.buildroot import group_name, warden
from chroots.engine.layers.overlay import total_memory
from chroots.engine.state import State, remember, temporary
from debatomic.tools.errors import InputError
from debatomic.tools.limits import planned
from debatomic.tools.progress import Progress
from debatomic.tools.run import Output


def run_check(spec: CheckSpec, state: State, log: Output) -> dict[str, Any]:
    """Verdict, summary, decisive lines, facts and names of the reports in `spec.output`.

    Raises: ToolError where the check could not be done; then nothing is said of the package.
    """
    wanted = check(spec.check)
    if not spec.folder.is_dir():
        raise InputError(f"{spec.folder} is no folder.", hint="Name the output folder of a build.")
    spec.output.mkdir(parents=True, exist_ok=True)
    progress = Progress(2)
    say = _says(log)
    with temporary(state.work) as work:
        remember(work, planned(group_name(work)))
        memory = spec.limits.memory or total_memory() * 3 // 4
        with warden(work, group_name(work), spec.limits, memory, log) as keeper:
            progress.phase("base", detail=spec.chroot.name)
            base = bases.ensure(spec.chroot, state, log)
            progress.phase("check", detail=wanted.name)
            (work / "bench").mkdir()
            bench = Bench(spec=spec, state=state, base=base, warden=keeper, work=work / "bench", output=spec.output,
                          say=say)  # fmt: skip
            found = wanted.run(bench)
    told = {"check": wanted.name, **found.told, "reports": sorted(bench.reports), "base": base.identity}
    for line in told["decisive"]:
        say(line)
    return told


def _says(log: Output) -> Callable[[str], object]:
    def say(text: str) -> None:
        log(f"{visible(text)}\n".encode())

    return say
