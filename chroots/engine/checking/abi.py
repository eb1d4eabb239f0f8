"""How the binary interface of shared libraries changed since the version before, by libabigail's abidiff."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from chroots.engine.checking.check import Bench, Finding, Verdict
from chroots.engine.checking.earlier import BEFORE, OURS, earlier, label
from chroots.engine.checking.kinds import is_debugging
from chroots.engine.plugins.rooms import said
from debatomic.tools.errors import ToolError

REPORT = "abi.txt"
FAILED, USED_WRONGLY, CHANGED, INCOMPATIBLE = 1, 2, 4, 8  # bits of abidiff's exit status
MARK = re.compile(r"^@@ (?P<name>\S+) (?P<status>\d+|gone|new)\n", re.MULTILINE)
COUNTS = re.compile(r"^(?:Functions|Variables|Function symbols|Variable symbols|Unreachable types)"
                    r" changes summary: (?P<counts>.*)$", re.MULTILINE)  # fmt: skip
COUNT = re.compile(r"(?P<number>\d+) (?P<what>Removed|Changed|Added|removed|changed|added)")
TOLD = re.compile(r"^ +\[[ACD]\] .*$", re.MULTILINE)
# Both versions in trees of their own, libraries by SONAME; `@@ NAME STATUS` and what abidiff says of each.
SCRIPT = r"""
set -eu
mkdir /tmp/abi
cd /tmp/abi
for set in before made; do
  mkdir "$set"
  for deb; do
    case $deb in "/run/$set/"*) dpkg-deb --extract "$deb" "$set";; esac
    find "$set" -type d ! -perm -u+rwx -exec chmod u+rwx {} +
  done
  find "$set" -type f -name '*.so*' ! -path "$set/usr/lib/debug/*" | LC_ALL=C sort | while read -r file; do
    name=$(objdump -p "$file" 2>/dev/null | sed -n 's/^ *SONAME *//p' | head -n1)
    case $name in ''|*[!A-Za-z0-9.+_-]*) ;; *) printf '%s %s\n' "$name" "$file";; esac
  done > "$set.list"
done
options=
if [ -d before/usr/lib/debug ] && [ -d made/usr/lib/debug ]; then
  options="--debug-info-dir1 before/usr/lib/debug --debug-info-dir2 made/usr/lib/debug"
  if [ -d before/usr/include ] && [ -d made/usr/include ]; then
    options="$options --headers-dir1 before/usr/include --headers-dir2 made/usr/include"
  fi
fi
while read -r name old; do
  new=$(awk -v name="$name" '$1 == name { sub(/^[^ ]+ /, ""); print; exit }' made.list)
  if [ -z "$new" ]; then echo "@@ $name gone"; continue; fi
  status=0
  abidiff $options "$old" "$new" > said 2>&1 || status=$?
  echo "@@ $name $status"
  cat said
done < before.list
while read -r name new; do
  grep -q "^$name " before.list || echo "@@ $name new"
done < made.list
"""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What abidiff said of one library; its status is a number, or `gone` or `new`."""

    name: str
    status: str
    report: str

    @property
    def bits(self) -> int:
        return int(self.status) if self.status.isdigit() else 0

    @property
    def counts(self) -> Mapping[str, int]:
        """Functions, variables and symbols that were removed, changed and added."""
        found = {"removed": 0, "changed": 0, "added": 0}
        for line in COUNTS.finditer(self.report):
            for each in COUNT.finditer(line["counts"]):
                found[each["what"].lower()] += int(each["number"])
        return found


def run(bench: Bench) -> Finding:
    """Fails where abidiff says that what was built against a library breaks; warns where it may."""
    before = earlier(bench)
    if not before:
        return Finding(verdict=Verdict.PASS, summary="There is no version before to compare with.")
    folder = before[0].parent
    old = [*before, *(path for path in _debs(folder) if is_debugging(path))]
    paths = [*(f"{BEFORE}/{path.name}" for path in old), *(f"{OURS}/{path.name}" for path in bench.files(".deb"))]
    with bench.room("abigail-tools", "binutils") as root:
        shown = {OURS: bench.spec.folder, BEFORE: folder}
        status, output = said(root, ["sh", "-c", SCRIPT, "sh", *paths], read_only=shown)
    bench.report(REPORT, output)
    if status:
        lines = output.splitlines()[-5:]
        raise ToolError(f"abidiff did not work: {lines[-1] if lines else status}", lines=lines)
    return judged(compared(output), label(before))


def _debs(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.deb")) if path.is_file() and not path.is_symlink()]


def compared(output: str) -> list[Compared]:
    """What was said of each library."""
    marks = list(MARK.finditer(output))
    ends = {mark: following.start() for mark, following in pairwise(marks)}
    return [
        Compared(name=mark["name"], status=mark["status"], report=output[mark.end() : ends.get(mark, len(output))])
        for mark in marks
    ]


def judged(libraries: Sequence[Compared], before: str) -> Finding:
    """What abidiff's exit statuses mean. Raises: ToolError where it could not read a library."""
    for each in libraries:
        if each.bits & (FAILED | USED_WRONGLY):
            raise ToolError(f"abidiff cannot compare {each.name}: its exit status is {each.status}.",
                            lines=each.report.splitlines()[-5:])  # fmt: skip
    if not libraries:
        return Finding(verdict=Verdict.PASS, summary="There are no shared libraries.")
    totals = {what: sum(each.counts[what] for each in libraries) for what in ("removed", "changed", "added")}
    broken, gone = ([each.name for each in libraries if wanted(each)] for wanted in (_breaks, _is_gone))
    facts = {"libraries": len(libraries), **totals, "incompatible": broken[:100], "gone": gone[:100]}
    summary = (f"Since {before}: {totals['removed']} functions and variables removed, {totals['changed']} changed, "
               f"{totals['added']} added, in {len(libraries)} libraries.")  # fmt: skip
    lines = [f"{each.name}: {line}" for each in sorted(libraries, key=_breaks, reverse=True) for line in _lines(each)]
    verdict = Verdict.FAIL if broken else Verdict.WARN if gone or any(map(_may_break, libraries)) else Verdict.PASS
    return Finding(verdict=verdict, summary=summary, lines=lines, facts=facts)


def _breaks(library: Compared) -> bool:
    return bool(library.bits & INCOMPATIBLE)


def _is_gone(library: Compared) -> bool:
    return library.status == "gone"


def _may_break(library: Compared) -> bool:
    """Whether it changed otherwise than by what was added."""
    counts = library.counts
    return bool(library.bits & CHANGED) and not (counts["added"] and not counts["removed"] + counts["changed"])


def _lines(library: Compared) -> list[str]:
    told = [match[0].strip() for match in TOLD.finditer(library.report)]
    return ["is gone"] if _is_gone(library) else sorted(told, key=lambda line: line.startswith("[A]"))
