"""A program as a whole: seconds of the wall and of the processors, the most memory and disk of all its processes."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from debatomic.tools.run import run

GROUPS = Path("/sys/fs/cgroup")
CONTROLLERS = ("memory", "cpuacct")  # folders of version 1 of control groups; version 2 has all in one
SAMPLE_SECONDS = 0.2
MEMORY = ({"anon", "shmem"}, {"total_rss", "total_shmem"})  # of memory.stat, in version 2 and 1


@dataclass(frozen=True, kw_only=True)
class Measure:
    """`memory`: bytes of processes and of file systems in memory; `disk`: bytes, as the file system lost them."""

    seconds: float
    processor_seconds: float
    memory: int
    disk: int


@dataclass
class _Watched:
    """What is in control groups, the first of which accounts memory and the last processors."""

    groups: Sequence[Path]
    folder: Path
    memory: int = 0
    disk: int = 0
    free: int = field(init=False)

    def __post_init__(self) -> None:
        self.free = shutil.disk_usage(self.folder).free

    def look(self) -> None:
        parts = _numbers(self.groups[0] / "memory.stat")
        names = next(each for each in MEMORY if each <= parts.keys())
        self.memory = max(self.memory, sum(parts[name] for name in names))
        self.disk = max(self.disk, self.free - shutil.disk_usage(self.folder).free)

    @property
    def processor_seconds(self) -> float:
        usage = self.groups[-1] / "cpuacct.usage"
        if usage.exists():
            return int(usage.read_text()) / 1e9
        return _numbers(self.groups[-1] / "cpu.stat")["usage_usec"] / 1e6


def _numbers(path: Path) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split() for line in path.read_text().splitlines())}


def metered(args: Sequence[str], *, folder: Path, cwd: Path, log: Path) -> Measure:
    """Run a program; `folder` is on the file system whose space counts."""
    with _groups() as groups, log.open("wb") as output, ExitStack() as undo:
        watched = _Watched(groups=groups, folder=folder)
        entries = [undo.enter_context((group / "cgroup.procs").open("w")).fileno() for group in groups]
        began = time.monotonic()
        run(args, cwd=cwd, log=output.write, tick=watched.look, tick_seconds=SAMPLE_SECONDS,
            before=lambda: [os.write(entry, b"0") for entry in entries])  # fmt: skip
        return Measure(seconds=time.monotonic() - began, processor_seconds=watched.processor_seconds,
                       memory=watched.memory, disk=watched.disk)  # fmt: skip


@contextmanager
def _groups() -> Iterator[list[Path]]:
    """Control groups that account memory and processors."""
    tops = [GROUPS / name for name in CONTROLLERS] if (GROUPS / CONTROLLERS[0]).is_dir() else [GROUPS]
    groups = [top / f"benchmark-{os.getpid()}" for top in tops]
    with ExitStack() as undo:
        for group in groups:
            group.mkdir()
            undo.callback(group.rmdir)
        yield groups


HEAD = ("| what | median s | least s | processor s | most memory, MiB | most disk, MiB |\n"
        "|---|---|---|---|---|---|")  # fmt: skip


def row(name: str, found: Sequence[Measure]) -> str:
    """A line of a table: medians, of memory and disk the most."""
    walls = [each.seconds for each in found]
    used = statistics.median(each.processor_seconds for each in found)
    return (f"| {name} | {statistics.median(walls):.1f} | {min(walls):.1f} | {used:.1f} | "
            f"{max(each.memory for each in found) >> 20} | {max(each.disk for each in found) >> 20} |")  # fmt: skip
