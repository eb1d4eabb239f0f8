"""Whether compilers were called with the hardening flags (blhc on the log), and what the programs show of it."""

from __future__ import annotations

import re

from chroots.engine.checking.check import Bench, Finding, Verdict
from chroots.engine.checking.earlier import OURS
from chroots.engine.plugins.hardening import MISSING, NOT_VERBOSE, NOTHING_COMPILED
from chroots.engine.plugins.rooms import RESULTS, said
from debatomic.tools.errors import ToolError

REPORT = "hardening.txt"
LOG = "build.log"
LACKING = re.compile(r"^no-(?P<what>pie|relro):")  # what Debian's own flags always give
# hardening-check over every program and library in the packages.
SCRIPT = r"""
set -u
for deb; do
  tree=$(mktemp -d)
  dpkg-deb --extract "$deb" "$tree" || exit 3
  cd "$tree" || exit 3
  find . -type f -size +3c -exec sh -c '
    for file; do
      if [ "$(head -c4 "$file" | tr -d "\000" | tail -c3)" = ELF ]; then printf "%s\0" "$file"; fi
    done' sh {} + | xargs -0 -r hardening-check --lintian --nobindnow --nostackprotector --nofortify 2>&1
done
exit 0
"""


def run(bench: Bench) -> Finding:
    """Fails where blhc finds flags missing; warns where a program is not position independent, or has no RELRO."""
    with bench.room("blhc", "devscripts") as root:
        has_log = (bench.spec.folder / LOG).is_file()
        status, log = 0, "There is no build.log.\n"
        if has_log:
            shown = {RESULTS: bench.spec.folder}
            status, log = said(root, ["blhc", f"{RESULTS}/{LOG}"], read_only=shown)
        paths = [f"{OURS}/{path.name}" for path in bench.packages]
        failed, programs = said(root, ["sh", "-c", SCRIPT, "sh", *paths], read_only={OURS: bench.spec.folder})
    bench.report(REPORT, f"== blhc\n{log}\n== hardening-check\n{programs}")
    if failed:
        raise ToolError("The packages cannot be unpacked.", lines=programs.splitlines()[-5:])
    return judged(status if has_log else NOT_VERBOSE, log, programs)


def judged(status: int, log: str, programs: str) -> Finding:
    """What blhc's exit status and output, and hardening-check's lines mean."""
    missing = [line for line in log.splitlines() if " missing (" in line]
    lacking = [line for line in programs.splitlines() if LACKING.match(line)]
    facts = {"compilers": len(missing), "programs": len(lacking)}
    if status & ~(NOTHING_COMPILED | NOT_VERBOSE | MISSING):
        lines = log.splitlines()[-5:]
        raise ToolError(f"blhc exited with status {status}: {lines[-1] if lines else 'nothing said'}", lines=lines)
    if status & MISSING:
        summary = f"{len(missing)} compilers were called without hardening flags."
        return Finding(verdict=Verdict.FAIL, summary=summary, lines=[*missing, *lacking], facts=facts)
    if lacking:
        summary = f"{len(lacking)} times a program is not position independent, or has no RELRO."
        return Finding(verdict=Verdict.WARN, summary=summary, lines=lacking, facts=facts)
    known = ("the log does not show how compilers were called" if status & NOT_VERBOSE
             else "nothing was compiled" if status & NOTHING_COMPILED
             else "all compilers were called with hardening flags")  # fmt: skip
    return Finding(verdict=Verdict.PASS, summary=f"No program lacks hardening; {known}.", facts=facts)
