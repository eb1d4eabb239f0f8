"""Limits on a whole tree of processes: control groups (version 2 or 1), or resource limits where there are none."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
CONTROLLERS = ("pids", "memory", "cpu")
PERIOD = 100_000  # microseconds in which computing time is counted
KILL_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Group:
    """What a tree of processes is held by: its control groups, none where the host has none to give."""

    folders: tuple[Path, ...]
    version: int  # 2, 1, or 0 for resource limits only
    processes: int
    memory: int

    def enter(self) -> None:
        """Put the calling process, and so its children, into the group; meant for `run(before=...)`."""
        for folder in self.folders:
            fd = os.open(folder / "cgroup.procs", os.O_WRONLY)
            os.write(fd, b"0")
            os.close(fd)

    def resource_limits(self) -> list[str]:
        """Options of prlimit(1) that stand in for missing control groups: per process and per user, so coarser."""
        return [] if self.version else [f"--nproc={self.processes}", f"--as={self.memory}"]

    def members(self) -> set[int]:
        """The processes in it."""
        return {int(pid) for folder in self.folders for pid in (folder / "cgroup.procs").read_text().split()}

    def kill(self) -> None:
        """End every process in it and wait until they are gone."""
        until = time.monotonic() + KILL_SECONDS
        while (members := self.members()) and time.monotonic() < until:
            kill_members(self.folders, members)
            time.sleep(0.005)

    def peak_memory(self) -> int | None:
        """The most bytes it ever had, if the kernel says."""
        return self._number("memory.peak", "memory.max_usage_in_bytes")

    def memory_kills(self) -> int:
        """How many of its processes the kernel killed because the memory limit was reached."""
        return self._counted("oom_kill", "memory.events", "memory.oom_control")

    def process_refusals(self) -> int:
        """How many processes it was refused because the limit on their number was reached."""
        return self._counted("max", "pids.events")

    def _counted(self, event: str, *names: str) -> int:
        return sum(
            int(line.split()[1])
            for folder in self.folders
            for name in names
            if (folder / name).exists()
            for line in (folder / name).read_text().splitlines()
            if line.startswith(f"{event} ")
        )

    def _number(self, *names: str) -> int | None:
        for path in (folder / name for folder in self.folders for name in names):
            with suppress(OSError, ValueError):
                return int(path.read_text())
        return None


def kill_members(folders: Sequence[Path], members: set[int]) -> None:
    """SIGKILL, by the kernel at one stroke where it can."""
    for folder in folders:
        if (folder / "cgroup.kill").exists():
            (folder / "cgroup.kill").write_text("1")
            return
    for pid in members:
        with suppress(ProcessLookupError):
            os.kill(pid, 9)


@contextmanager
def limited(
    name: str, *, processes: int, memory: int, processors: float | None = None, cgroups: Path = CGROUPS
) -> Iterator[Group]:
    """A group called `name` with limits on its processes and bytes of memory; it is gone after the block.

    `processors` is how many of them it may keep busy; a host without control groups does not hold it to that.
    """
    made: list[Path] = []
    limits = {"pids": processes, "memory": memory}
    try:
        version = 0
        if processors:
            version = _make(planned(name, cgroups), {**limits, "cpu": int(processors * PERIOD)}, made)
        version = version or _make(_planned(name, cgroups, ("pids", "memory")), limits, made)
        group = Group(folders=tuple(made), version=version, processes=processes, memory=memory)
        yield group
        group.kill()
    finally:
        remove(made)


def planned(name: str, cgroups: Path = CGROUPS) -> tuple[Path, ...]:
    """The folders the groups of that name have, or may have, on this host."""
    return _planned(name, cgroups, CONTROLLERS)


def _planned(name: str, cgroups: Path, controllers: Sequence[str]) -> tuple[Path, ...]:
    if (cgroups / "cgroup.controllers").exists():
        return (cgroups / name,)
    own = own_groups(Path("/proc/self/cgroup").read_text())
    folders = []
    for controller in controllers:
        nested = cgroups / controller / own.get(controller, "").lstrip("/")
        folders.append((nested if nested.is_dir() else cgroups / controller) / name)
    return tuple(folders)


def own_groups(text: str) -> dict[str, str]:
    """Our own control group by controller, from `/proc/self/cgroup` of version 1."""
    lines = (line.split(":", 2) for line in text.splitlines())
    return {controller: path for _, controllers, path in lines for controller in controllers.split(",")}


def _make(folders: Sequence[Path], limits: dict[str, int], made: list[Path]) -> int:
    try:
        if len(folders) == 1:
            _enable(folders[0].parent, limits)
        for folder in folders:
            folder.mkdir()
            made.append(folder)
            _set(folder, limits)
    except OSError:
        remove(made)
        made.clear()
        return 0
    return 2 if len(folders) == 1 else 1


def _enable(parent: Path, controllers: Iterable[str]) -> None:
    control = parent / "cgroup.subtree_control"
    if missing := set(controllers) - set(control.read_text().split()):
        control.write_text(" ".join(f"+{controller}" for controller in sorted(missing)))


def _set(folder: Path, limits: dict[str, int]) -> None:
    """Write the limits this group's controllers know."""
    for name, value in (("pids.max", limits["pids"]), ("memory.max", limits["memory"]),
                        ("memory.limit_in_bytes", limits["memory"])):  # fmt: skip
        if (folder / name).exists():
            (folder / name).write_text(str(value))
    if "cpu" in limits:
        _set_processors(folder, limits["cpu"])
    for name, value in (("memory.swap.max", 0), ("memory.memsw.limit_in_bytes", limits["memory"])):
        with suppress(OSError):  # hosts that do not account swap
            if (folder / name).exists():
                (folder / name).write_text(str(value))


def _set_processors(folder: Path, quota: int) -> None:
    """So many microseconds of computing in each PERIOD."""
    for name, value in (("cpu.max", f"{quota} {PERIOD}"), ("cpu.cfs_period_us", f"{PERIOD}"),
                        ("cpu.cfs_quota_us", f"{quota}")):  # fmt: skip
        if (folder / name).exists():
            (folder / name).write_text(value)


def remove(folders: Sequence[Path]) -> None:
    """Remove control groups, ending what is still in them; those that are gone already are fine."""
    for folder in folders:
        until = time.monotonic() + KILL_SECONDS
        while folder.is_dir():
            try:
                folder.rmdir()
            except OSError:
                if time.monotonic() > until:
                    return
                with suppress(OSError):
                    kill_members([folder], {int(pid) for pid in (folder / "cgroup.procs").read_text().split()})
                time.sleep(0.005)
