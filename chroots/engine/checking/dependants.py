"""Whether what depends on these packages can still be installed: the suite's dose-debcheck, before and after."""

from __future__ import annotations

import re

from chroots.engine.checking.check import Bench, Finding, Verdict
from chroots.engine.checking.earlier import OURS
from chroots.engine.layers.dependencies import LISTS
from chroots.engine.layers.package_lists import LISTS_OF_BASE
from chroots.engine.plugins.rooms import said
from debatomic.tools.errors import ToolError

REPORT = "dependants.txt"
MARK = "@@ "
MOST = 100  # names that the facts have
PACKAGE = re.compile(r"^ {1,2}package: (?P<name>\S+)", re.MULTILINE)
# The suite's packages as apt knows them, once as they are, once with ours in place of those of the same names.
SCRIPT = r"""
set -eu
cd /tmp
mkdir -p lists
for deb in /run/made/*.deb; do
  dpkg-deb --show --showformat='${Package}\n' "$deb" >> lists/names
  dpkg-deb --field "$deb" | sed '/^$/d'
  echo
done > lists/made
for list in "$1"/*_Packages; do
  /usr/lib/apt/apt-helper cat-file "$list"
  echo
done > lists/archive
perl -e '
  my (%names, %known);
  open my $made, "<", "lists/names" or die;
  while (<$made>) { chomp; $names{$_} = 1; }
  local $/ = "";
  open my $archive, "<", "lists/archive" or die;
  open my $old, ">", "lists/old" or die;
  open my $rest, ">", "lists/rest" or die;
  open my $wanted, ">", "lists/dependants" or die;
  while (<$archive>) {
    my ($name) = /^Package: (\S+)/m or next;
    my $needs = join ",", /^(?:Pre-)?Depends: (.*)$/mg;
    my $depends = grep { my ($on) = /^\s*([a-z0-9][a-z0-9+.-]*)/; defined $on && $names{$on} } split /[,|]/, $needs;
    print { $names{$name} ? $old : $depends ? $wanted : $rest } $_;
    $known{$name} = 1 if $depends && !$names{$name};
  }
  printf "@@ count %d\n", scalar keys %known;'
[ -s lists/dependants ] || exit 0
native=$(dpkg --print-architecture)
for set in old made; do
  echo "@@ $set"
  cat "lists/$set" lists/rest > lists/others
  dose-debcheck --failures --explain "--deb-native-arch=$native" --bg lists/others lists/dependants || [ $? -lt 64 ]
done
"""


def run(bench: Bench) -> Finding:
    """Fails where a package of the suite that could be installed cannot any more."""
    with bench.room("dose-distcheck") as root:
        shown = {OURS: bench.spec.folder, **bench.around.shown}
        lists = LISTS if LISTS in shown else f"/{LISTS_OF_BASE}"
        status, output = said(root, ["sh", "-c", SCRIPT, "sh", lists], read_only=shown)
    bench.report(REPORT, output)
    if status:
        lines = output.splitlines()[-5:]
        raise ToolError(f"dose-debcheck did not work: {lines[-1] if lines else status}", lines=lines)
    return judged(output)


def judged(output: str) -> Finding:
    """Which dependants only fail with our packages."""
    head, _, rest = output.partition(f"{MARK}old\n")
    before, _, after = rest.partition(f"{MARK}made\n")
    number = int(head.split(f"{MARK}count ")[-1].split()[0])
    broken = sorted(names(after) - names(before))
    facts = {"dependants": number, "broken": broken[:MOST]}
    if not number:
        return Finding(verdict=Verdict.PASS, summary="Nothing in the suite depends on these packages.", facts=facts)
    if broken:
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        return Finding(verdict=Verdict.FAIL, summary=f"{broken[0]}{more} cannot be installed with these packages.",
                       lines=broken, facts=facts)  # fmt: skip
    return Finding(verdict=Verdict.PASS, summary=f"All {number} dependants can be installed as before.", facts=facts)


def names(report: str) -> set[str]:
    """The packages that dose-debcheck reports."""
    return {match["name"] for match in PACKAGE.finditer(report)}
