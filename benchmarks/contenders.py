"""Who builds a package in the benchmarks: the engine, its peers, and the floor below all of them.

The floor is bare `dpkg-buildpackage` in an unpacked tree of the same suite with the build dependencies installed. The
engine has a base, sbuild its usual tarball (unshare mode), pbuilder its usual base.tgz and cache of packages. All build
with one job per processor and run the package's own tests.
"""

from __future__ import annotations

import os
import pwd
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chroots.engine.archives.archive import Archive
from chroots.engine.archives.mirror import default_mirror
from chroots.engine.state import State, remove_tree
from debatomic.tools.run import run

TOP = Path(__file__).resolve().parents[1]
SUITE, CHROOT = "trixie", "trixie-amd64"
PACKAGES = ("figlet", "cowsay", "dash", "jq", "xz-utils")
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

    @property
    def pbuilder(self) -> Path:
        return self.folder / "pbuilder"

    @property
    def state(self) -> State:
        return State(self.folder.absolute() / "state")


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Seconds of the wall, and of the processors for all that ended in them; the latter hardly depend on other work."""

    wall: float
    processor: float


def timed(act: Callable[[], object]) -> Taken:
    began, used = time.monotonic(), _processor()
    act()
    return Taken(wall=time.monotonic() - began, processor=_processor() - used)


def _processor() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


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


def made(name: str, folder: Path, user: str) -> Bench:
    """The bench of a package with all that the contenders have before they begin."""
    bench = fetched(name, folder, user)
    for make in (make_floor, make_tarball, make_base):
        make(bench)
    return bench


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


def make_base(bench: Bench) -> None:
    """What pbuilder unpacks for each build."""
    base, new = bench.pbuilder / "base.tgz", bench.pbuilder / "new.tgz"
    if base.exists():
        return
    for name in ("place", "packages"):
        (bench.pbuilder / name).mkdir(parents=True, exist_ok=True)
    run(["pbuilder", "create", *pbuilder_options(bench, new), "--mirror", default_mirror(), "--components", "main",
         "--debootstrapopts", "--variant=buildd"])  # fmt: skip
    new.rename(base)


def pbuilder_options(bench: Bench, base: Path) -> list[str]:
    folder = bench.pbuilder
    return ["--distribution", SUITE, "--basetgz", str(base), "--buildplace", str(folder / "place"),
            "--aptcache", str(folder / "packages")]  # fmt: skip


def floor(bench: Bench) -> Taken:
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


def engine(bench: Bench) -> Taken:
    with tempfile.TemporaryDirectory(dir=bench.folder) as output:
        return timed(lambda: run(engine_command(bench.name, Path(output), bench.state), cwd=TOP))


def engine_command(source: str, output: Path, state: State, *more: str) -> list[str]:
    return [sys.executable, "-m", "chroots.engine", "build", source, "--chroot", CHROOT, "--state", str(state.root),
            "--output", str(output), *more]  # fmt: skip


def sbuild(bench: Bench) -> Taken:
    with tempfile.TemporaryDirectory(dir=bench.folder) as output:
        shutil.chown(output, bench.user)
        args = ["sbuild", "--chroot-mode=unshare", f"--chroot={bench.tarball}", f"--dist={SUITE}", f"--jobs={JOBS}",
                "--no-run-lintian", "--nolog", str(bench.dsc)]  # fmt: skip
        return timed(lambda: as_user(bench.user, args, cwd=Path(output)))


def pbuilder(bench: Bench) -> Taken:
    with tempfile.TemporaryDirectory(dir=bench.folder) as output:
        args = ["pbuilder", "build", *pbuilder_options(bench, bench.pbuilder / "base.tgz"), "--buildresult", output,
                "--debbuildopts", f"-j{JOBS}", str(bench.dsc)]  # fmt: skip
        return timed(lambda: run(args, cwd=Path(output)))


CONTENDERS: dict[str, Callable[[Bench], Taken]] = {
    "floor": floor, "engine": engine, "sbuild": sbuild, "pbuilder": pbuilder,
}  # fmt: skip


def forget(bench: Bench) -> None:
    """Remove what a second build would find: dependency layers, and packages that were fetched."""
    for part in (bench.state.layers, bench.state.files):
        if part.exists():
            remove_tree(part)
    for package in (bench.pbuilder / "packages").glob("*.deb"):
        package.unlink()
