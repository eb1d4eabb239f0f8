"""Which symbols shared libraries lost or got since the version before, by the suite's dpkg-gensymbols."""

from __future__ import annotations

from collections.abc import Mapping

from chroots.engine.checking.check import Bench, Finding, Verdict
from chroots.engine.checking.earlier import BEFORE, OURS, earlier, label
from chroots.engine.plugins.rooms import said
from debatomic.tools.errors import ToolError

REPORT = "symbols.txt"
MARK = "@@ "
# Every package's libraries in one list: `@@ before` or `@@ made`, then what dpkg-gensymbols says.
SCRIPT = r"""
set -eu
mkdir -p /tmp/source/debian
printf 'Source: checked\n\nPackage: checked\nArchitecture: any\n' > /tmp/source/debian/control
for set in before made; do
  echo "@@ $set"
  for deb; do
    case $deb in "/run/$set/"*) ;; *) continue;; esac
    tree=$(mktemp -d)
    dpkg-deb --extract "$deb" "$tree"
    find "$tree" -type d ! -perm -u+rwx -exec chmod u+rwx {} +
    mkdir -p "$tree/DEBIAN"
    (cd /tmp/source && dpkg-gensymbols -q -c0 -v0 -pchecked "-P$tree" "-O$tree.symbols" </dev/null)
    if [ -s "$tree.symbols" ]; then cat "$tree.symbols"; fi
    rm -rf "$tree"
  done
done
"""
Symbols = Mapping[str, set[str]]  # by the library's name (SONAME)


def run(bench: Bench) -> Finding:
    """Fails where a library that is still there lost symbols; warns where a library went."""
    before = earlier(bench)
    if not before:
        return Finding(verdict=Verdict.PASS, summary="There is no version before to compare with.")
    with bench.room() as root:
        shown = {OURS: bench.spec.folder, BEFORE: before[0].parent}
        paths = [f"{place}/{path.name}" for place, debs in ((BEFORE, before), (OURS, bench.packages)) for path in debs]
        status, output = said(root, ["sh", "-c", SCRIPT, "sh", *paths], read_only=shown)
    if status:
        lines = output.splitlines()[-5:]
        raise ToolError(f"dpkg-gensymbols did not work: {lines[-1] if lines else status}", lines=lines)
    _, _, rest = output.partition(f"{MARK}before\n")
    old, _, new = rest.partition(f"{MARK}made\n")
    bench.report(REPORT, output)
    return judged(libraries(old), libraries(new), label(before))


def libraries(text: str) -> Symbols:
    """The symbols of each library in files of symbols."""
    found: dict[str, set[str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith(" ") and name:
            found[name].add(line.split()[0])
        elif line.strip() and not line.startswith(("*", "|", "@", " ")):
            name = line.split()[0]
            found.setdefault(name, set())
    return found


def judged(old: Symbols, new: Symbols, before: str) -> Finding:
    """How the libraries changed since the version `before`."""
    gone = sorted(old.keys() - new.keys())
    lost = [f"{name}: {symbol} is gone" for name in sorted(old.keys() & new.keys())
            for symbol in sorted(old[name] - new[name])]  # fmt: skip
    got = sum(len(symbols - old.get(name, set())) for name, symbols in new.items())
    facts = {"libraries": len(new), "lost": len(lost), "new": got, "gone": gone[:100]}
    if not old and not new:
        return Finding(verdict=Verdict.PASS, summary="There are no shared libraries.", facts=facts)
    counted = f"Since {before}: {len(lost)} symbols lost, {got} new, in {len(new)} libraries."
    lines = [*lost, *(f"{name} is gone" for name in gone)]
    verdict = Verdict.FAIL if lost else Verdict.WARN if gone else Verdict.PASS
    return Finding(verdict=verdict, summary=counted, lines=lines, facts=facts)
