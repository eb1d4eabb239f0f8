"""A build end to end: the engine against `sbuild --chroot-mode=unshare`, and the floor below both, interleaved.

    sudo python -m benchmarks.builds [--user NAME] [--rounds 5] [--source figlet --source jq] [--folder DIR]

The floor is bare `dpkg-buildpackage` in an unpacked tree of the same suite with the build dependencies installed. The
engine runs with a warm base and dependency layer (a second build of the package), sbuild with its usual tarball, as
NAME: a user with lines in /etc/subuid and /etc/subgid. All build with one job per processor and run the package's own
tests. Results with method: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import pwd
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chroots.engine.archives.archive import Archive
from chroots.engine.archives.mirror import default_mirror
from chroots.engine.state import State
from debatomic.tools.run import run

TOP = Path(__file__).resolve().parents[1]
SUITE, CHROOT = "trixie", "trixie-amd64"
JOBS = os.cpu_count() or 1
BUILD = ["dpkg-buildpackage", "-us", "-uc", "-b", "-rfakeroot"]
BUILDER = 1234
# Tests that want a terminal (jq's) need devpts. $0 is the tree, $1 the folder in it, the rest what runs there.
INSIDE = f"""
mount -t proc proc "$0/proc"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$0/dev/pts"
mount --bind "$0/dev/pts/ptmx" "$0/dev/ptmx"
place=$1
shift
exec chroot --userspec={BUILDER}:{BUILDER} "$0" env -C "$place" "$@"
"""
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One source package, and the folder all of it happens in."""

    dsc: Path
    name: str
    upstream: str
    folder: Path
    user: str

    @property
    def tree(self) -> Path:
        return self.folder / f"floor-{self.name}"

    @property
    def tarball(self) -> Path:
        return self.folder / "sbuild" / f"{CHROOT}.tar.zst"


def fetched(name: str, folder: Path, user: str) -> Bench:
    """The source package's verified files, in a folder of its own that the user may read."""
    archive = Archive(SUITE, State(folder / "state"))
    package = archive.find(name)
    target = folder / f"source-{name}"
    target.mkdir(parents=True, exist_ok=True)
    for file, path in zip(package.files, archive.download(package), strict=True):
        shutil.copyfile(path, target / file.name)
    upstream = package.version.partition(":")[2] or package.version
    return Bench(dsc=target / package.dsc.name, name=package.name, upstream=upstream.rpartition("-")[0] or upstream,
                 folder=folder, user=user)  # fmt: skip


def as_user(user: str, args: list[str], *, cwd: Path) -> None:
    account = pwd.getpwnam(user)
    run(["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups", *args], cwd=cwd,
        env={"HOME": account.pw_dir, "USER": user, "LOGNAME": user, "PATH": PATH})  # fmt: skip


def make_floor(bench: Bench) -> None:
    """An unpacked system with the build dependencies of the package."""
    if bench.tree.exists():
        return
    run(["mmdebstrap", "--variant=buildd", "--include=fakeroot", f"--customize-hook=copy-in {bench.dsc} /",
         f'--customize-hook=chroot "$1" apt-get --yes build-dep /{bench.dsc.name}',
         f'--customize-hook=chroot "$1" useradd --uid {BUILDER} --create-home builder',
         SUITE, str(bench.tree), default_mirror()])  # fmt: skip


def make_tarball(bench: Bench) -> None:
    """What sbuild unpacks for each build, made as its manual says."""
    if bench.tarball.exists():
        return
    account = pwd.getpwnam(bench.user)
    bench.tarball.parent.mkdir(exist_ok=True)
    os.chown(bench.tarball.parent, account.pw_uid, account.pw_gid)
    as_user(bench.user, ["mmdebstrap", "--variant=buildd", "--mode=unshare", SUITE, str(bench.tarball),
                         default_mirror()], cwd=bench.tarball.parent)  # fmt: skip


def floor(bench: Bench) -> float:
    place = bench.tree / "build"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    unpacked = f"{bench.name}-{bench.upstream}"
    run(["dpkg-source", "--no-check", "-x", str(bench.dsc), str(place / unpacked)])
    run(["chown", "-R", f"{BUILDER}:{BUILDER}", str(place)])
    inside = ["unshare", "--mount", "--pid", "--fork", "--net", "sh", "-ec", INSIDE, str(bench.tree),
              f"/build/{unpacked}"]  # fmt: skip
    return timed(lambda: run([*inside, *BUILD], env={"DEB_BUILD_OPTIONS": f"parallel={JOBS}", "PATH": PATH,
                                                     "HOME": "/home/builder", "LC_ALL": "C.UTF-8"}))  # fmt: skip


def engine(bench: Bench) -> float:
    command = [sys.executable, "-m", "chroots.engine", "build", bench.name, "--chroot", CHROOT,
               "--state", str(bench.folder / "state")]  # fmt: skip
    with tempfile.TemporaryDirectory(dir=bench.folder) as output:
        return timed(lambda: run([*command, "--output", output], cwd=TOP))


def sbuild(bench: Bench) -> float:
    with tempfile.TemporaryDirectory(dir=bench.folder) as output:
        shutil.chown(output, bench.user)
        args = ["sbuild", "--chroot-mode=unshare", f"--chroot={bench.tarball}", f"--dist={SUITE}", f"--jobs={JOBS}",
                "--no-run-lintian", "--nolog", str(bench.dsc)]  # fmt: skip
        return timed(lambda: as_user(bench.user, args, cwd=Path(output)))


def timed(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


CONTENDERS: dict[str, Callable[[Bench], float]] = {"floor": floor, "engine": engine, "sbuild": sbuild}


def measured(bench: Bench, rounds: int) -> dict[str, list[float]]:
    """Seconds of each contender, after one round that only warms up."""
    found: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for number in range(rounds + 1):
        for name, contend in CONTENDERS.items():
            seconds = contend(bench)
            print(f"{bench.name}, {f'round {number}' if number else 'warm-up'}: {name} {seconds:.1f} s", flush=True)
            if number:
                found[name].append(seconds)
    return found


def table(results: dict[str, dict[str, list[float]]]) -> str:
    lines = ["| package | | median s | least s | over the floor, s | ratio to sbuild |", "|---|---|---|---|---|---|"]
    for package, found in results.items():
        base, peer = statistics.median(found["floor"]), statistics.median(found["sbuild"])
        for name, seconds in found.items():
            middle = statistics.median(seconds)
            lines.append(f"| {package} | {name} | {middle:.1f} | {min(seconds):.1f} | {middle - base:.1f} | "
                         f"{middle / peer:.2f} |")  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Builds: the engine, sbuild and the floor, interleaved.")
    parser.add_argument("--user", default=os.environ.get("SUDO_USER", ""), help="who runs sbuild (default: who sudos)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--source", action="append", help="a source package (default: figlet and jq)")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp/debatomic-benchmark"), help="kept between runs")
    options = parser.parse_args()
    if os.geteuid() != 0 or not options.user:
        parser.error("run it as root, and name an ordinary user with --user: sbuild's unshare mode wants one.")
    options.folder.mkdir(parents=True, exist_ok=True)
    results = {}
    for name in options.source or ["figlet", "jq"]:
        bench = fetched(name, options.folder, options.user)
        make_floor(bench)
        make_tarball(bench)
        results[name] = measured(bench, options.rounds)
    print(table(results))


if __name__ == "__main__":
    main()
