"""A minimal bootable disk: composed here, by mkosi and by debos, cold, unchanged, and after one package changed.

    sudo python -m benchmarks.composes [--rounds 3] [--peer mkosi --peer debos] [--folder DIR]

The same packages on each side: those of a minimal system's lock, whose files each has had before (one round that does
not count fetches them). Cold: nothing else is kept. Changed: a newer openssh-server, after a compose without it.
Contenders take turns; results with method: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.metered import HEAD, Measure, metered, row
from benchmarks.peers import SUITE, Peers
from chroots.engine.archives.fetch import Store
from chroots.engine.state import State
from composes.pipeline.contents import objects
from debatomic.tools.files import sha256
from debatomic.tools.run import run

TOP = Path(__file__).resolve().parents[1]
CHANGED, SUFFIX = "openssh-server", "+benchmark1"
PACKAGES = (
    "systemd", "systemd-sysv", "udev", "dbus", "libpam-systemd", "kmod", "dracut", "ostree", "ostree-boot", "e2fsprogs",
    "dosfstools", "zstd", "linux-image-cloud-amd64", "systemd-resolved", "systemd-timesyncd", "ca-certificates",
    "iproute2", "openssh-server",
)  # fmt: skip
TREEFILE = """\
name: benchmark
suite: {suite}
architectures: {{amd64: {{}}}}
ref: benchmark/{{suite}}/{{architecture}}/{{variant}}
packages: [{packages}]
kargs: ["console=ttyS0,115200n8"]
units: {{enable: [systemd-networkd.service, systemd-resolved.service]}}
image: {{size: 3G, formats: [{formats}], firmware: [bios, uefi]}}
variants: {{minimal: {{}}}}
{more}"""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """All of it happens below `folder`."""

    folder: Path

    @property
    def state(self) -> State:
        return State(self.folder / "composes-state")

    def treefile(self, name: str, *, formats: str = "raw", more: str = "") -> Path:
        path = self.folder / "treefiles" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(TREEFILE.format(suite=SUITE, packages=", ".join(PACKAGES), formats=formats, more=more))
        return path

    def compose(self, treefile: Path, *more: str) -> list[str]:
        return [sys.executable, "-m", "composes.pipeline", "run", os.fspath(treefile), "--variant", "minimal",
                "--state", os.fspath(self.state.root), "--output", os.fspath(self.output(treefile)),
                "--security-tracker", "none", "--skip", "test", *more]  # fmt: skip

    def output(self, treefile: Path) -> Path:
        return self.folder / "composed" / treefile.stem

    def result(self, treefile: Path) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.output(treefile) / "result.json").read_text())
        return content

    def forget(self) -> None:
        """Everything that composes leave but package files and the tools chroot."""
        shutil.rmtree(self.state.root / "composes", ignore_errors=True)

    def metered(self, args: Sequence[str]) -> Measure:
        return metered(args, folder=self.folder, cwd=TOP, log=self.folder / "last.log")


def newer(bench: Bench, peers: Peers, lock: dict[str, Any]) -> tuple[Path, str]:
    """The package CHANGED once more with a higher version, and that version."""
    package = next(each for each in lock["packages"] if each["name"] == CHANGED)
    version, folder = package["version"] + SUFFIX, bench.folder / "treefiles/newer"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    unpacked, target = folder / "unpacked", folder / f"{CHANGED}_{version.partition(':')[2]}_amd64.deb"
    shutil.copyfile(Store(bench.state.files).path(package["sha256"]), folder / "old.deb")
    run([*peers.inside(), "dpkg-deb", "-R", os.fspath(folder / "old.deb"), os.fspath(unpacked)])
    control = unpacked / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {version}", control.read_text()))
    run([*peers.inside(), "dpkg-deb", "--root-owner-group", "-b", os.fspath(unpacked), os.fspath(target)])
    shutil.rmtree(unpacked)
    (folder / "old.deb").unlink()
    return target, version


class Contest:
    """The contenders' turns; `found` is what each took, by its name."""

    def __init__(self, bench: Bench, peers: Peers, names: Sequence[str]) -> None:
        self.bench, self.peers, self.names = bench, peers, names
        self.found: dict[str, list[Measure]] = {}
        self.plain = bench.treefile("plain")
        peers.prepare()
        run(bench.compose(self.plain), cwd=TOP)
        lock = json.loads((bench.output(self.plain) / "lock.json").read_text())
        self.peers = Peers(folder=peers.folder, packages=tuple(each["name"] for each in lock["packages"]))
        self.deb, self.version = newer(bench, peers, lock)
        self.changed = bench.treefile(
            "changed", more=f"debs:\n  - {{file: newer/{self.deb.name}, sha256: {sha256(self.deb)}}}\n"
        )

    def turn(self) -> None:
        """One round."""
        self.bench.forget()
        self._take("DebAtomic, cold", self.bench.compose(self.plain))
        self._take("DebAtomic, unchanged", self.bench.compose(self.plain))
        self._take("DebAtomic, one package changed", self.bench.compose(self.changed))
        if "mkosi" in self.names:
            self._mkosi()
        if "debos" in self.names:
            self._take("debos (keeps nothing)", self.peers.debos())

    def _mkosi(self) -> None:
        self.peers.forget()
        self._take("mkosi, cold", self.peers.mkosi(again=True))
        self.peers.forget()
        run(self.peers.mkosi(incremental=True, again=True), log=self._noted)
        self._take("mkosi incremental, unchanged", self.peers.mkosi(incremental=True))
        newer = self.deb.parent
        for name, more in (
            ("installed on top of its cache", f"VolatilePackages={CHANGED}\nVolatilePackageDirectories={newer}\n"),
            ("as it does by itself", f"PackageDirectories={newer}\n"),
        ):
            self._take(f"mkosi incremental, one package changed, {name}", self.peers.mkosi(incremental=True, more=more))
            if not self.peers.mkosi_has(self.version):
                raise SystemExit(f"mkosi's image has the old {CHANGED}.")

    def _noted(self, chunk: bytes) -> None:
        with (self.bench.folder / "last.log").open("ab") as file:
            file.write(chunk)

    def _take(self, name: str, args: Sequence[str]) -> None:
        measure = self.bench.metered(args)
        print(f"{name}: {measure.seconds:.1f} s", flush=True)
        self.found.setdefault(name, []).append(measure)


def download(bench: Bench, contest: Contest) -> str:
    """What a machine fetches when one package changed: of the commit, and of the container."""
    treefiles = [bench.treefile(name, formats="raw, oci", more=more) for name, more in
                 (("plain-oci", ""), ("changed-oci", contest.changed.read_text().partition("variants:")[2]
                                      .partition("\n")[2]))]  # fmt: skip
    old, new = treefiles
    run(bench.compose(old), cwd=TOP)
    run(bench.compose(new, "--previous-container", os.fspath(bench.output(old) / "container.json")), cwd=TOP)
    had, has = (objects.read(gzip.decompress((bench.output(each) / "objects.txt.gz").read_bytes()))
                for each in treefiles)  # fmt: skip
    number, size = objects.fresh(had, has)
    container = bench.result(new)["container"]
    rows = (("OSTree commit, whole", sum(has.values())), (f"OSTree commit, {number} new objects", size),
            ("container, whole", container["bytes"]), ("container, new layers", container["update_bytes"]))  # fmt: skip
    return "\n".join(["| to fetch | MB |", "|---|---|", *(f"| {name} | {size / 1e6:.1f} |" for name, size in rows)])


def main() -> None:
    parser = argparse.ArgumentParser(description="Composes: DebAtomic, mkosi and debos, in turns.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", action="append", choices=("mkosi", "debos"), help="(default: both)")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp/debatomic-benchmark"), help="kept between runs")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("run it as root.")
    options.folder.mkdir(parents=True, exist_ok=True)
    bench, peers = Bench(folder=options.folder), Peers(folder=options.folder, packages=())
    contest = Contest(bench, peers, options.peer or ("mkosi", "debos"))
    contest.turn()  # warms up
    contest.found.clear()
    for number in range(options.rounds):
        print(f"round {number + 1}", flush=True)
        contest.turn()
    print("\n".join([HEAD, *(row(name, found) for name, found in contest.found.items())]))
    print(download(bench, contest))


if __name__ == "__main__":
    main()
