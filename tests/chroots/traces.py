"""What builds leave, or must not leave, on the host."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

HOST_CGROUPS = Path("/sys/fs/cgroup")


def survivors() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if "debatomic-test-daemon" in text or text.startswith("sleep 600"):
            found.append(text)
    return found


def groups() -> set[Path]:
    return set(HOST_CGROUPS.glob("**/debatomic-new-*"))


def remains(state: Path, output: Path, others: set[Path]) -> list[str]:
    """Processes, mounts, folders and control groups that a build left."""
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if os.fspath(state) in line]
    patterns = ("work/.[nd]*-*", "layers/.[nd]*-*", "ccache/*/*/.[nd]*-*", "bases/*/.[nd]*-*", "files/*/.*",
                "files/fetching/*")  # fmt: skip
    folders = [*(path for pattern in patterns for path in state.glob(pattern)), *output.glob(".debatomic*")]
    return [*survivors(), *mounts, *loop_devices(state), *map(os.fspath, [*folders, *(groups() - others)])]


def loop_devices(state: Path) -> list[str]:
    """Those that still have a file of that state folder."""
    names = (path.read_text().strip() for path in Path("/sys/block").glob("loop*/loop/backing_file"))
    return [name for name in names if name.startswith(os.fspath(state))]


def family(pid: int) -> list[int]:
    """A process and all that it started, itself first."""
    found = [pid]
    for each in found:  # grows
        with suppress(OSError):
            for task in Path(f"/proc/{each}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found
