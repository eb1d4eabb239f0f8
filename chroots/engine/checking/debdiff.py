"""What differs from the version before in files and control fields, by the suite's debdiff."""

from __future__ import annotations

import re

from chroots.engine.checking.check import Bench, Finding, Verdict
from chroots.engine.checking.earlier import BEFORE, OURS, earlier, label
from chroots.engine.plugins.rooms import said
from debatomic.tools.errors import ToolError

REPORT = "debdiff.txt"
DIFFERENT = 1
FILE = re.compile(r"^[-dlcbps][rwxsStT-]{9}  ")
RELATION = re.compile(r"^(?P<name>Depends|Pre-Depends|Breaks|Conflicts|Provides|Replaces|Recommends): ")
REBUILT = re.compile(r"/changelog\.Debian\.[a-z0-9-]+\.gz$")  # only a rebuild without changes has it
GONE, NEW = "first", "second"


def run(bench: Bench) -> Finding:
    """Warns where files or packages went, or relations changed."""
    before = earlier(bench)
    if not before:
        return Finding(verdict=Verdict.PASS, summary="There is no version before to compare with.")
    shown = {OURS: bench.spec.folder, BEFORE: before[0].parent}
    old, new = ([f"{place}/{path.name}" for path in paths]
                for place, paths in ((BEFORE, before), (OURS, bench.packages)))  # fmt: skip
    with bench.room("devscripts", "wdiff") as root:
        status, output = said(root, ["debdiff", "--no-conf", "--from", *old, "--to", *new], read_only=shown)
    bench.report(REPORT, output)
    if status > DIFFERENT:
        lines = output.splitlines()[-5:]
        raise ToolError(f"debdiff exited with status {status}: {lines[-1] if lines else 'nothing said'}", lines=lines)
    return judged(output, label(before))


def judged(output: str, before: str) -> Finding:
    """What debdiff's report means; `before` is the version it compared with."""
    files = by_set(output)
    relations = [line for line in output.splitlines() if (RELATION.match(line)) and ("[-" in line or "{+" in line)]
    counts = {"added": len(files[NEW]), "removed": len(files[GONE]), "relations": len(relations)}
    if not any(counts.values()):
        return Finding(verdict=Verdict.PASS, summary=f"Files and relations are those of {before}.", facts=counts)
    summary = (f"Since {before}: {counts['added']} files added, {counts['removed']} removed, {counts['relations']} "
               "relations changed.")  # fmt: skip
    verdict = Verdict.WARN if files[GONE] or relations else Verdict.PASS
    lines = [*(f"- {line}" for line in files[GONE]), *relations, *(f"+ {line}" for line in files[NEW])]
    return Finding(verdict=verdict, summary=summary, lines=lines, facts=counts)


def by_set(output: str) -> dict[str, list[str]]:
    """The files that only the first, and only the second set of packages has."""
    found: dict[str, list[str]] = {GONE: [], NEW: []}
    where = ""
    for line in output.splitlines():
        if line.startswith("Files "):
            where = NEW if re.match(r"Files (in second|only in second)", line) else GONE
        elif REBUILT.search(line):
            continue
        elif FILE.match(line) and where:
            found[where].append(line)
        elif line.strip("-") and not FILE.match(line):
            where = ""
    return found
