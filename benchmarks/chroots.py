"""How long a buildroot takes to be ready and to be gone, on a warm base: medians.

    sudo python -m benchmarks.chroots [--rounds 50] [--state DIR] [--chroot trixie-amd64]

Ready is what a build has before its first program: a folder of its own, user namespace, devices, control group,
limited space and the mounted tree; gone is when none of that is left. Rows: with the space in memory and on disk, each
empty and after a program inside wrote files; below them what each part costs. Results with method: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from chroots.engine.configuration import definitions
from chroots.engine.isolation.contain import is_contained
from chroots.engine.isolation.devices import devices
from chroots.engine.isolation.userns import sealed_user_namespace
from chroots.engine.layers import base
from chroots.engine.layers.base import Layer
from chroots.engine.layers.buildroot import Buildroot, buildroot, group_name, warden
from chroots.engine.layers.overlay import available_memory, limited_space, overlay, total_memory
from chroots.engine.spec import Limits
from chroots.engine.state import State, remember, temporary
from debatomic.tools.limits import limited, planned
from debatomic.tools.run import contained, run

Part = Callable[[Path], AbstractContextManager[object]]
MEMORY = total_memory() // 2
IN_MEMORY = 1 << 30
FILES = 2000
WRITE = ["sh", "-c", f"for i in $(seq {FILES}); do echo $i > /build/$i; done"]


def silent(chunk: bytes) -> None:
    """Where nothing is to be told."""


@contextmanager
def whole(layer: Layer, state: State, disk: int) -> Iterator[Buildroot]:
    """A buildroot exactly as a build has it."""
    with temporary(state.work) as work, ExitStack() as undo:
        remember(work, planned(group_name(work)))
        keeper = undo.enter_context(warden(work, group_name(work), Limits(disk=disk), MEMORY, silent))
        space = undo.enter_context(limited_space(work, disk, MEMORY, silent))
        yield undo.enter_context(buildroot([layer], keeper, at=work / "root", upper=space))


def parts(layer: Layer) -> dict[str, Part]:
    """What a buildroot is made of, each alone."""
    return {
        "folder and lock": lambda folder: temporary(folder / "more"),
        "user namespace": lambda folder: sealed_user_namespace(),
        "devices": lambda folder: devices(folder / "dev"),
        "control group": lambda folder: limited("debatomic-benchmark", processes=4096, memory=MEMORY),
        "space in memory": lambda folder: limited_space(folder, IN_MEMORY, MEMORY, silent),
        "space on disk": lambda folder: limited_space(folder, on_disk(), MEMORY, silent),
        "overlay": lambda folder: overlay([layer], folder / "root", upper=folder / "upper"),
    }


def on_disk() -> int:
    """A limit too large for memory."""
    return available_memory() // 2


def timed(make: Callable[[], AbstractContextManager[object]], act: Callable[[object], object]) -> tuple[float, float]:
    """Milliseconds until it was ready, and from the end of `act` until it was gone."""
    began = time.monotonic()
    with make() as made:
        ready = time.monotonic()
        act(made)
        over = time.monotonic()
    return (ready - began) * 1000, (time.monotonic() - over) * 1000


def row(name: str, rounds: int, once: Callable[[], tuple[float, float]]) -> str:
    """One line of the table."""
    found = [once() for _ in range(rounds + 2)][2:]  # the first two only warm up
    cells = (f"{statistics.median(times):.1f} | {min(times):.1f} | {max(times):.1f}"
             for times in zip(*found, strict=True))  # fmt: skip
    return f"| {name} | {' | '.join(cells)} |"


def measure(layer: Layer, state: State, rounds: int) -> None:
    print("| | ready: median ms | least | most | gone: median ms | least | most |\n|---|---|---|---|---|---|---|")
    for place, disk in (("in memory", IN_MEMORY), ("on disk", on_disk())):
        for what, act in (("empty", id), (f"{FILES} files", lambda root: root.run(WRITE))):
            print(row(f"buildroot {place}, {what}", rounds, lambda d=disk, a=act: timed(  # type: ignore[misc]
                lambda: whole(layer, state, d), a)), flush=True)  # fmt: skip
    for name, make in parts(layer).items():
        print(row(name, rounds, lambda m=make: alone(m, state)), flush=True)  # type: ignore[misc]


def alone(make: Part, state: State) -> tuple[float, float]:
    """One part, in a folder that was there before."""
    with temporary(state.work) as folder:
        return timed(lambda: make(folder), id)


def main() -> None:
    parser = argparse.ArgumentParser(description="Milliseconds until a buildroot is ready, and until it is gone.")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--state", type=Path, default=Path("/var/tmp/debatomic-benchmark/state"))
    parser.add_argument("--chroot", default="trixie-amd64")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("run it as root: it mounts file systems.")
    if not is_contained():
        run(contained([sys.executable, "-m", "benchmarks.chroots", *sys.argv[1:]]), log=sys.stdout.buffer.write,
            env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))})  # fmt: skip
        return
    state = State(options.state.absolute())
    measure(base.ensure(definitions.load(options.chroot), state, silent), state, options.rounds)


if __name__ == "__main__":
    main()
