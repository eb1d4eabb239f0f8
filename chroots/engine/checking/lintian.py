"""The suite's lintian over what a build made."""

from __future__ import annotations

from chroots.engine.checking.check import Bench, Finding, Verdict
from chroots.engine.plugins.lintian import TAG, Lintian
from chroots.engine.plugins.rooms import RESULTS, said
from debatomic.tools.errors import InputError, ToolError

REPORT = "lintian.txt"


def run(bench: Bench) -> Finding:
    """Lintian's errors fail, its warnings warn. Raises: ToolError where lintian itself does not work."""
    names = [path.name for path in (*bench.files(".changes"), *bench.files(".dsc"))]
    if not names:
        raise InputError("There is neither a .changes nor a .dsc to give to lintian.")
    with bench.room("lintian") as root:
        status, output = said(root, Lintian({}).command(names), read_only={RESULTS: bench.spec.folder})
    bench.report(REPORT, output)
    if status:
        lines = output.splitlines()[-5:]
        raise ToolError(f"lintian exited with status {status}: {lines[-1] if lines else 'nothing said'}", lines=lines)
    return judged(output)


def judged(output: str) -> Finding:
    """What lintian's tags mean."""
    found = [(match["level"], line) for line in output.splitlines() if (match := TAG.match(line))]
    errors, warnings = ([line for level, line in found if level == wanted] for wanted in "EW")
    counted = f"lintian found {len(errors)} errors and {len(warnings)} warnings."
    facts = {"errors": len(errors), "warnings": len(warnings)}
    if errors or warnings:
        verdict = Verdict.FAIL if errors else Verdict.WARN
        return Finding(verdict=verdict, summary=counted, lines=[*errors, *warnings], facts=facts)
    return Finding(verdict=Verdict.PASS, summary="lintian found neither errors nor warnings.", facts=facts)
