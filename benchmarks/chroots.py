"""Buildroots and builds of the engine on one host, against its peers: medians, interleaved.

    sudo python -m benchmarks.chroots [PART...] [--rounds 20] [--user NAME] [--folder DIR]

Parts (all of them without a name):

roots     how long a buildroot takes to be ready and to be gone, on a warm base: what a build has before its first
          program (folder, user namespace, devices, control group, limited space, mounted tree), in memory and on disk,
          empty and after a program inside wrote files; below that, what each piece of it costs.
peers     an empty one against `cp -al` of the base (cowbuilder) and the base unpacked from .tar.zst (sbuild) and
          .tar.gz (pbuilder), in at most 3 rounds.
parallel  1, 2, 4 and 8 builds of figlet at once, dependency layer warm: builds a minute, memory and disk for each.
first     builds of several packages without layers and downloads, against sbuild as NAME, pbuilder and the floor, in
          at most 3 rounds (see benchmarks/builds.py).

Results with method: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from benchmarks.builds import compare
from benchmarks.contenders import CHROOT, PACKAGES, TOP, engine_command
from chroots.engine.configuration import definitions
from chroots.engine.isolation.contain import is_contained
from chroots.engine.isolation.devices import devices
from chroots.engine.isolation.userns import sealed_user_namespace
from chroots.engine.layers import base
from chroots.engine.layers.base import Layer
from chroots.engine.layers.buildroot import Buildroot, buildroot, group_name, warden
from chroots.engine.layers.overlay import limited_space, overlay, total_memory
from chroots.engine.spec import Limits, Tmpfs
from chroots.engine.state import State, remember, temporary
from debatomic.tools.limits import limited, planned
from debatomic.tools.run import contained, run

Part = Callable[[Path], AbstractContextManager[object]]
Times = tuple[float, float]  # milliseconds until ready, and until gone
MEMORY = total_memory() // 2
DISK = 16 << 30
IN_MEMORY = 1 << 30
FILES = 2000
WRITE = ["sh", "-c", f"for i in $(seq {FILES}); do echo $i > /build/$i; done"]
AT_ONCE = (1, 2, 4, 8)


def silent(chunk: bytes) -> None:
    """Where nothing is to be told."""


@contextmanager
def whole(layer: Layer, state: State, disk: int, tmpfs: Tmpfs) -> Iterator[Buildroot]:
    """A buildroot exactly as a build has it."""
    with temporary(state.work) as work, ExitStack() as undo:
        remember(work, planned(group_name(work)))
        keeper = undo.enter_context(warden(work, group_name(work), Limits(disk=disk), MEMORY, silent))
        space = undo.enter_context(limited_space(work, disk, MEMORY, silent, tmpfs))
        yield undo.enter_context(buildroot([layer], keeper, at=work / "root", upper=space))


def write(root: object) -> None:
    """What a small build does to its tree."""
    assert isinstance(root, Buildroot)
    root.run(WRITE)


@contextmanager
def made_by(command: list[str], state: State) -> Iterator[Path]:
    """A tree that a peer's command makes in a folder (`TREE` in its arguments), removed as peers do."""
    tree = state.work / "peer"
    tree.mkdir()
    run([part.replace("TREE", str(tree)) for part in command])
    try:
        yield tree
    finally:
        run(["rm", "-rf", "--one-file-system", str(tree)])


def peers(layer: Layer, folder: Path) -> dict[str, list[str]]:
    """The commands with which cowbuilder, sbuild and pbuilder make a root; their tarballs are kept in `folder`."""
    found = {"`cp -al` (cowbuilder)": ["cp", "-al", f"{layer.tree}/.", "TREE"]}
    for name, option, whose in (("tar.zst", "--zstd", "sbuild"), ("tar.gz", "--gzip", "pbuilder")):
        tarball = folder / f"peer-{layer.identity[:12]}.{name}"
        if not tarball.exists():
            run(["tar", "-C", str(layer.tree), option, "-cf", str(tarball), "."])
        found[f"unpacking a .{name} ({whose})"] = ["tar", "-C", "TREE", "-xf", str(tarball)]
    return found


def parts(layer: Layer) -> dict[str, Part]:
    """What a buildroot is made of, each alone."""
    space = partial(limited_space, memory=MEMORY, log=silent)
    return {
        "folder and lock": lambda folder: temporary(folder / "more"),
        "user namespace": lambda folder: sealed_user_namespace(),
        "devices": lambda folder: devices(folder / "dev"),
        "control group": lambda folder: limited("debatomic-benchmark", processes=4096, memory=MEMORY),
        "space in memory": lambda folder: space(folder, IN_MEMORY, tmpfs=Tmpfs.ALWAYS),
        "space on disk": lambda folder: space(folder, DISK, tmpfs=Tmpfs.NEVER),
        "overlay": lambda folder: overlay([layer], folder / "root", upper=folder / "upper"),
    }


def lasting(make: Callable[[], AbstractContextManager[object]], act: Callable[[object], object]) -> Times:
    """Milliseconds until it was ready, and from the end of `act` until it was gone."""
    began = time.monotonic()
    with make() as made:
        ready = time.monotonic()
        act(made)
        over = time.monotonic()
    return (ready - began) * 1000, (time.monotonic() - over) * 1000


def alone(make: Part, state: State) -> Times:
    """One piece, in a folder that was there before."""
    with temporary(state.work) as folder:
        return lasting(lambda: make(folder), id)


def engines(layer: Layer, state: State) -> dict[str, Callable[[], Times]]:
    found: dict[str, Callable[[], Times]] = {}
    for place, disk, tmpfs in (("in memory", IN_MEMORY, Tmpfs.ALWAYS), ("on disk", DISK, Tmpfs.NEVER)):
        make = partial(whole, layer, state, disk, tmpfs)
        found[f"engine {place}, empty"] = partial(lasting, make, id)
        found[f"engine {place}, {FILES} files"] = partial(lasting, make, write)
    return found


def warm(state: State) -> Layer:
    state.work.mkdir(parents=True, exist_ok=True)
    return base.ensure(definitions.load(CHROOT), state, silent)


def roots(options: argparse.Namespace, state: State) -> None:
    layer = warm(state)
    table("buildroot", interleaved(engines(layer, state), options.rounds))
    pieces = {name: partial(alone, make, state) for name, make in parts(layer).items()}
    table("piece of a buildroot", interleaved(pieces, options.rounds))


def against(options: argparse.Namespace, state: State) -> None:
    layer = warm(state)
    found = {name: once for name, once in engines(layer, state).items() if "empty" in name}
    for name, command in peers(layer, state.root.parent).items():
        found[name] = partial(lasting, partial(made_by, command, state), id)
    table("root", interleaved(found, min(options.rounds, 3)))


def interleaved(found: Mapping[str, Callable[[], Times]], rounds: int) -> dict[str, list[Times]]:
    """Each contender once in every round; the first round only warms up."""
    times: dict[str, list[Times]] = {name: [] for name in found}
    for _ in range(rounds + 1):
        for name, once in found.items():
            times[name].append(once())
    return {name: taken[1:] for name, taken in times.items()}


def table(what: str, found: Mapping[str, list[Times]]) -> None:
    print(f"\n| {what} | ready: median ms | least | gone: median ms | least |\n|---|---|---|---|---|")
    for name, times in found.items():
        cells = (f"{statistics.median(each):.1f} | {min(each):.1f}" for each in zip(*times, strict=True))
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def parallel(options: argparse.Namespace, state: State) -> None:
    """As many jobs in each build as there are processors, as a builder host does it."""
    print("\n| figlet builds at once | wall s | builds a minute | most memory of one, MiB | most disk of one, MiB |\n"
          "|---|---|---|---|---|")  # fmt: skip
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        run(engine_command("figlet", Path(name, "warm"), state), cwd=TOP)
        for count in AT_ONCE:
            outputs = [Path(name, f"{count}-{number}") for number in range(count)]
            began = time.monotonic()
            disk = at_once([engine_command("figlet", output, state, "--tmpfs", "never") for output in outputs], state)
            seconds = time.monotonic() - began
            memory = max(json.loads((output / "result.json").read_text())["peak_memory"] for output in outputs)
            print(f"| {count} | {seconds:.1f} | {count * 60 / seconds:.1f} | {memory >> 20} | {disk / (1 << 20):.1f} |",
                  flush=True)  # fmt: skip


def at_once(commands: list[list[str]], state: State) -> int:
    """The most bytes that one of these builds had written, seen from outside every 100 ms."""
    started = [subprocess.Popen(command, cwd=TOP, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
               for command in commands]  # fmt: skip
    most = 0
    while [process for process in started if process.poll() is None]:
        most = max([most, *(written(process.pid, state) for process in started)])
        time.sleep(0.1)
    if any(process.returncode for process in started):
        raise SystemExit("a build failed; its build.log says why")
    return most


def written(pid: int, state: State) -> int:
    """Bytes in the space of a running build: its mounts are seen through the first process of its namespaces."""
    for _ in range(2):
        with suppress(OSError, IndexError):
            pid = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
    found = 0
    for space in Path(f"/proc/{pid}/root/{state.work}").glob(".new-*/space"):
        with suppress(OSError):
            about = os.statvfs(space)
            if space.is_mount():  # not yet, or not here but in another build's namespace
                found = max(found, (about.f_blocks - about.f_bfree) * about.f_frsize)
    return found


def first(options: argparse.Namespace, state: State) -> None:
    """The same as `benchmarks.builds --first`: a base, sbuild's tarball and pbuilder's are there, and nothing else."""
    compare(PACKAGES, options.folder.absolute(), options.user, min(options.rounds, 3), first=True)


PARTS: dict[str, Callable[[argparse.Namespace, State], None]] = {
    "roots": roots, "peers": against, "parallel": parallel, "first": first,
}  # fmt: skip
MOUNTING = ("roots", "peers")


def main() -> None:
    parser = argparse.ArgumentParser(description="The engine's buildroots and builds against its peers.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--user", default=os.environ.get("SUDO_USER", ""), help="who runs sbuild (default: who sudos)")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp/debatomic-benchmark"), help="kept between runs")
    options = parser.parse_args()
    chosen = options.parts or list(PARTS)
    if os.geteuid() != 0 or not set(chosen) <= set(PARTS):
        parser.error(f"run it as root; the parts are {', '.join(PARTS)}.")
    if "first" in chosen and not options.user:
        parser.error("name an ordinary user with --user: sbuild's unshare mode wants one.")
    options.folder.mkdir(parents=True, exist_ok=True)
    state = State(options.folder.absolute() / "state")
    for name in chosen:
        if not is_contained():
            print(f"\n{name}: load before {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors", flush=True)
        if name in MOUNTING and not is_contained():
            again = [sys.executable, "-m", "benchmarks.chroots", name, "--rounds", str(options.rounds), "--folder",
                     str(options.folder)]  # fmt: skip
            run(contained(again), log=sys.stdout.buffer.write,
                env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))})  # fmt: skip
        else:
            PARTS[name](options, state)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
