"""Kernel modules with those they need, from a tree's own kernel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from composes.pipeline.live.cpio import Member

# What finds a medium and mounts it, and what lets systemd read credentials before the root file system is there.
NEEDED = ("loop", "isofs", "squashfs", "overlay", "ext4", "sr_mod", "sd_mod", "usb_storage", "uas", "dmi_sysfs")
INDEXES = ("modules.dep", "modules.dep.bin", "modules.alias", "modules.alias.bin", "modules.builtin",
           "modules.builtin.bin", "modules.builtin.modinfo", "modules.devname", "modules.order", "modules.softdep",
           "modules.symbols", "modules.symbols.bin")  # fmt: skip


def members(root: Path, kernel: str) -> Iterator[Member]:
    """The modules of `kernel` below `root` and the indexes that name them, at their own places."""
    folder = Path("usr/lib/modules", kernel)
    dependencies = read((root / folder / "modules.dep").read_text())
    for name in (*with_needs(dependencies, NEEDED), *INDEXES):
        path = folder / name
        if (root / path).is_file():
            yield Member(name=str(path), content=(root / path).read_bytes())


def read(text: str) -> dict[str, list[str]]:
    """modules.dep: the path of each module below its folder, with the paths of all it needs."""
    lines = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {path.strip(): needs.split() for path, _, needs in lines}


def with_needs(dependencies: dict[str, list[str]], names: Iterable[str]) -> list[str]:
    """The paths of the modules `names` and of what they need; one that the kernel has built in is in no path."""
    by_name = {_name(path): path for path in dependencies}
    wanted = [by_name[name] for name in names if name in by_name]
    return sorted({each for path in wanted for each in (path, *dependencies[path])})


def _name(path: str) -> str:
    """As the kernel says it: dmi_sysfs for kernel/drivers/firmware/dmi-sysfs.ko.xz."""
    return path.rpartition("/")[2].partition(".ko")[0].replace("-", "_")
