"""Where Debian's autopkgtest runs: a fresh buildroot that is its testbed, with the packages that tests need at hand.

autopkgtest's `null` server runs tests where it runs itself; it claims the isolation of a machine, which the jail does
not give, so its copy here does not. apt has no network: a first run only writes down what apt would install for each
test, which is fetched outside, verified, and there for the runs that count.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from chroots.engine.archives.dsc import Dsc
from chroots.engine.archives.fetch import Store
from chroots.engine.archives.mirror import default_mirror
from chroots.engine.archives.repositories import addresses
from chroots.engine.checking.check import Bench
from chroots.engine.checking.earlier import OURS
from chroots.engine.layers.buildroot import Buildroot
from chroots.engine.layers.dependencies import ARCHIVES, SOURCE, URI, parse_uris
from chroots.engine.plugins.rooms import said
from chroots.engine.spec import ChrootSpec
from debatomic.tools.errors import ToolError
from debatomic.tools.files import link_or_copy

TOOLS = ("autopkgtest", "autodep8")
TESTER = "tester"
PLACE = "/var/lib/debatomic-testbed"
SUMMARY, WANTED = f"{PLACE}/summary", f"{PLACE}/wanted"
NOTING, COMPLETE, RUNNING = "noting", "complete", "running"  # what apt may do: nothing, with all files at hand, all
# A user to run tests as, the virtualisation server, and an apt-get that is asked first.
PREPARE = r"""
set -eu
place=$1 mode=$2 archives=$3
mkdir -p "$place"
: > "$place/wanted"
useradd --create-home --shell /bin/bash tester
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
cat > /etc/apt/apt.conf.d/99-testbed <<END
Dir::Cache::archives "$archives";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::ForceHash "SHA256";
Acquire::Retries "0";
Debug::NoLocking "1";
Dpkg::Use-Pty "0";
DPkg::Options { "--force-unsafe-io"; };
END
if [ -d /run/repositories ]; then
  cp /run/repositories/sources/* /etc/apt/sources.list.d/
  cp /run/repositories/preferences/* /etc/apt/preferences.d/
  cp /run/lists/repository-* /var/lib/apt/lists/
fi
sed "s/'isolation-machine',*//; s/'isolation-container',*//" /usr/bin/autopkgtest-virt-null > "$place/jail"
chmod 755 "$place/jail"
if grep -q "'isolation-" "$place/jail"; then echo 'The null server of autopkgtest is not known.'; exit 9; fi
cat > /usr/local/sbin/apt-get <<'END'
#!/bin/sh
place=/var/lib/debatomic-testbed
if [ "$*" = '--quiet update' ]; then exit 0; fi
mode=$(cat $place/mode)
case " $* " in
  *' --simulate '*) ;;
  *' install '*|*' build-dep '*|*' satisfy '*)
    if [ "$mode" != running ]; then
      /usr/bin/apt-get -qq --print-uris "$@" 2>/dev/null | grep "^'" | grep -v "^'file:/tmp/" > $place/asked
      cat $place/asked >> $place/wanted
      if [ "$mode" = noting ]; then exit 100; fi
      while read -r address name rest; do
        if [ ! -e "/run/archives/$name" ]; then exit 100; fi
      done < $place/asked
    fi;;
esac
exec /usr/bin/apt-get "$@"
END
chmod 755 /usr/local/sbin/apt-get
printf '%s' "$mode" > "$place/mode"
"""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """One run of autopkgtest: its exit status, its summary, what it said, and what apt wanted."""

    status: int
    summary: str
    output: str
    wanted: str


@dataclass(frozen=True, kw_only=True)
class Testbed:
    """Makes a fresh buildroot for each run; what was fetched for one is there for the next."""

    bench: Bench
    source: Dsc
    archives: Path

    def run(self, mode: str, test: str = "") -> Ran:
        """All tests, or this one. Raises: ToolError where the testbed cannot be made."""
        layers = self.bench.layers(*TOOLS)
        with self.bench.room(layers=layers) as root:
            words = ["sh", "-c", PREPARE, "sh", PLACE, mode, ARCHIVES]
            failed, output = said(root, words, user=0, read_only=self.bench.around.shown)
            if failed:
                raise ToolError("A testbed for autopkgtest cannot be made.", lines=output.splitlines()[-5:])
            return self._ran(root, test)

    def _ran(self, root: Buildroot, test: str) -> Ran:
        debs = [path.name for path in self.bench.files(".deb")]
        shown = {OURS: self.bench.spec.folder, SOURCE: self.source.path.parent, ARCHIVES: self.archives}
        status, output = said(root, command(debs, self.source.path.name, test), user=0, read_only=shown,
                              scratch=[f"{ARCHIVES}/partial"])  # fmt: skip
        texts = [said(root, ["cat", path], user=0)[1] for path in (SUMMARY, WANTED)]
        return Ran(status=status, summary=texts[0], output=output, wanted=texts[1])

    def fetch(self, wanted: str) -> int:
        """Have what apt wanted at hand; how many files are new. Only what is in archives is fetched."""
        spec, store, beside = self.bench.spec, Store(self.bench.state.files), self.bench.around.beside
        known = [*places(spec.chroot), *(each.told for each in beside.taken)]
        lines = "\n".join(dict.fromkeys(line for line in wanted.splitlines() if is_in(known, line)))
        debs = [beside.located(deb) for deb in parse_uris(lines, spec.chroot.repositories)]
        new = list({deb.name: deb for deb in debs if not (self.archives / deb.name).exists()}.values())
        if sum(deb.size for deb in new) > spec.limits.disk:
            raise ToolError(f"The tests need more packages than the {spec.limits.disk >> 20} MiB of a check may hold.")
        for deb, path in zip(new, store.get_all(new), strict=True):
            link_or_copy(path, self.archives / deb.name)
        return len(new)


def command(debs: Collection[str], dsc: str, test: str) -> list[str]:
    """autopkgtest's command line: nothing is built, and each test has a testbed of its own to break."""
    return [
        "autopkgtest", "--no-built-binaries", f"--user={TESTER}", "--ignore-restrictions=breaks-testbed",
        "--needs-internet=skip", f"--summary-file={SUMMARY}", *([f"--test-name={test}"] if test else []),
        *(f"{OURS}/{name}" for name in debs), f"{SOURCE}/{dsc}", "--", f"{PLACE}/jail",
    ]  # fmt: skip


def is_in(archives: Collection[str], line: str) -> bool:
    """Whether a line of `apt-get --print-uris` names a file of these archives: what ran may have written any line."""
    if not (named := URI.match(line)):
        return False
    url = named["url"]
    return ".." not in unquote(url) and any(url.startswith(f"{place.rstrip('/')}/") for place in archives)


def places(chroot: ChrootSpec) -> Sequence[str]:
    """Where the chroot's archives are, as apt names them."""
    mirror = chroot.mirror or default_mirror()
    uris = [mirror, *(uri for each in chroot.repositories for uri in addresses(each, mirror))]
    return [uri.replace("file:", "copy:", 1) for uri in uris]
