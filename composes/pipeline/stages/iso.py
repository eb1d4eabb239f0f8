"""The system on an ISO that starts without a disk, and that brings the very disk image onto one.

The medium holds one squashfs: the disk image, and the few programs that write it. GRUB starts the tree's own kernel and
initramfs with a second, small initramfs behind it, which mounts the root file system out of the image.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from composes.pipeline.graph import Facts
from composes.pipeline.job import Job, Order
from composes.pipeline.live import initramfs, medium, menu, programs
from composes.pipeline.live.pieces import pieces
from composes.pipeline.stages import formats
from composes.pipeline.system.inside import inside
from composes.pipeline.treefiles.iso import IsoOptions
from composes.pipeline.treefiles.options import FIRMWARE, of_type, takes
from debatomic.tools.errors import Kind, ToolError
from debatomic.tools.files import link_or_copy, sha256

CHROOT = "usr/sbin/chroot"  # coreutils has it, in a merged /usr too
MOUNTED = {"ext4": "ro", "xfs": "ro,norecovery,nouuid", "btrfs": "ro"}  # without a write, whatever else has its UUID


@dataclass(frozen=True, kw_only=True)
class Root:
    """The root's partition of the disk image: its place in bytes, its file system, and whether it is the last one."""

    number: int
    start: int
    size: int
    type: str
    last: bool


def options(order: Order) -> Facts:
    image = order.tree.part("image")["image"]
    return {**order.tree.part("name", "variant"), "iso": image["iso"], "firmware": image["firmware"]}


def make(job: Job) -> Facts:
    """Leaves `disk.iso`."""
    job.progress.report(0.8, "iso")
    commit, disk = job.inputs["commit"].facts, job.inputs["disk"].facts
    label, content = menu.volume(commit["commit"]), job.folder / "medium"
    root = _root(job)
    (content / "live").mkdir(parents=True)
    _system(job, root, content / "live/system.squashfs")
    _boot(job, root, label, content / "boot")
    arguments = menu.arguments(disk["arguments"], label)
    medium.write_grub(job, content, label, menu.configuration(job.tree, commit["version"], arguments))
    target = job.folder / "disk.iso"
    medium.pack(job, content, label, target)
    return {"digest": sha256(target), "virtual_size": disk["size"], "size": target.stat().st_size, "label": label}


def _root(job: Job) -> Root:
    """Where the root file system is in the image, whatever else is there."""
    disk = job.input("disk", "disk.raw")
    found = json.loads(job.tools.read(["sfdisk", "--json", disk]))["partitiontable"]
    parts: list[dict[str, Any]] = found["partitions"]
    number, part = next((each for each in enumerate(parts, 1) if each[1].get("name") == "root"), (0, {}))
    if not number:
        raise ToolError("The disk has no partition with the name root.", kind=Kind.INTERNAL)
    sector = int(found.get("sectorsize", 512))
    start, size = int(part["start"]) * sector, int(part["size"]) * sector
    kind = job.tools.read(["blkid", "--probe", "--offset", str(start), "--size", str(size), "-o", "value", "-s", "TYPE",
                           disk])  # fmt: skip
    if kind not in MOUNTED:
        raise ToolError(f"An ISO cannot be made of a root file system {kind or 'of no known kind'}.")
    last = all(int(each["start"]) * sector <= start for each in parts)
    return Root(number=number, start=start, size=size, type=kind, last=last)


def _system(job: Job, root: Root, target: Path) -> None:
    """The squashfs: programs, what they are told of the image, and the image."""
    system = job.folder / "system"
    programs.lay_out(job.tools, system, root.type)
    (system / "install.sh").write_bytes((initramfs.HERE / "install.sh").read_bytes())
    (system / "install.sh").chmod(0o755)
    last = "yes" if root.last else "no"
    (system / "layout").write_text(f"root_number={root.number}\nroot_type={root.type}\nroot_last={last}\n"
                                   f"commit={job.inputs['commit'].facts['commit']}\n")  # fmt: skip
    disk = job.input("disk", "disk.raw")
    (system / "pieces").write_text("".join(f"{start} {size}\n" for start, size in pieces(disk)))
    link_or_copy(disk, system / "disk.raw")
    medium.squash(job.tools, system, target, date=int(job.inputs["commit"].facts["date"]))
    shutil.rmtree(system)


def _boot(job: Job, root: Root, label: str, folder: Path) -> None:
    """Kernel and initramfs of the tree, and the second one."""
    folder.mkdir()
    kernel, image, chroot = inside(job.input("rootfs", "tree"), _of_the_tree, job.inputs["rootfs"].facts["kernel"])
    settings = {"label": label, "root_offset": root.start, "root_size": root.size, "root_type": root.type,
                "root_options": MOUNTED[root.type]}  # fmt: skip
    for name, content in (("vmlinuz", kernel), ("initramfs.img", image),
                          ("live.img", initramfs.archive(chroot, settings))):  # fmt: skip
        (folder / name).write_bytes(content)


def _of_the_tree(root: Path, kernel: str) -> tuple[bytes, bytes, bytes]:
    modules = root / "usr/lib/modules" / kernel
    return (modules / "vmlinuz").read_bytes(), (modules / "initramfs.img").read_bytes(), (root / CHROOT).read_bytes()


STAGE = formats.stage("iso", make, needs=("commit", "rootfs", "disk"), options=options,
                      schema=takes("name", "variant", iso=of_type(IsoOptions), firmware=FIRMWARE))  # fmt: skip
