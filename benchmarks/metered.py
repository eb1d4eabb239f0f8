"""A program as a whole: seconds of the wall and of the processors, the most memory and disk of all its processes."""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from debatomic.tools.run import run

GROUPS = Path("/sys/fs/cgroup")
SAMPLE_SECONDS = 0.2
MEMORY = ({"anon", "shmem"}, {"total_rss", "total_shmem"})  # of memory.stat, in version 2 and 1 of control groups


@dataclass(frozen=True, kw_only=True)
class Measure:
    """`memory`: bytes of processes and of file systems in memory; `disk`: bytes, as the file system lost them."""

    seconds: float
    processor_seconds: float
    memory: int
    disk: int


@dataclass
class _Most:
    group: Path
    folder: Path
    memory: int = 0
    disk: int = 0
    free: int = field(init=False)

    def __post_init__(self) -> None:
        self.free = shutil.disk_usage(self.folder).free

    def look(self) -> None:
        lines = (self.group / "memory.stat").read_text().splitlines()
        parts = dict(line.split() for line in lines)
        names = next(each for each in MEMORY if each <= parts.keys())
        self.memory = max(self.memory, sum(int(parts[name]) for name in names))
        self.disk = max(self.disk, self.free - shutil.disk_usage(self.folder).free)


def metered(args: Sequence[str], *, folder: Path, cwd: Path, log: Path) -> Measure:
    """Run a program; `folder` is on the file system whose space counts."""
    with _group() as group, log.open("wb") as file:
        most = _Most(group=group, folder=folder)
        processes, began, used = (group / "cgroup.procs").open("w"), time.monotonic(), _used()
        with processes:
            run(args, cwd=cwd, log=file.write, tick=most.look, tick_seconds=SAMPLE_SECONDS,
                before=lambda: os.write(processes.fileno(), b"0"))  # fmt: skip
        return Measure(seconds=time.monotonic() - began, processor_seconds=_used() - used, memory=most.memory,
                       disk=most.disk)  # fmt: skip


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def _group() -> Iterator[Path]:
    """A control group that accounts memory."""
    top = GROUPS / "memory" if (GROUPS / "memory").is_dir() else GROUPS
    group = top / f"benchmark-{os.getpid()}"
    group.mkdir()
    try:
        yield group
    finally:
        group.rmdir()


HEAD = ("| what | median s | least s | processor s | most memory, MiB | most disk, MiB |\n"
        "|---|---|---|---|---|---|")  # fmt: skip


def row(name: str, found: Sequence[Measure]) -> str:
    """A line of a table: medians, of memory and disk the most."""
    walls = [each.seconds for each in found]
    used = statistics.median(each.processor_seconds for each in found)
    return (f"| {name} | {statistics.median(walls):.1f} | {min(walls):.1f} | {used:.1f} | "
            f"{max(each.memory for each in found) >> 20} | {max(each.disk for each in found) >> 20} |")  # fmt: skip
