"""A bootable disk from a commit: no loop device, no mount of the file systems that are made."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from composes.pipeline.delivery import delivered, put_sparse
from composes.pipeline.graph import Deliverable, Facts, Result, Stage
from composes.pipeline.job import Job, Order
from composes.pipeline.publishing.ostree import Repo
from composes.pipeline.store import bytes_below
from composes.pipeline.system import esp, filesystems, gpt, grub
from composes.pipeline.system.filesystems import RootSpec
from composes.pipeline.system.gpt import Layout
from composes.pipeline.system.sysroot import boot_arguments, deploy
from composes.pipeline.treefiles.options import COUNT, FIRMWARE, TEXT, takes
from debatomic.tools.files import sha256

ESP_SERIAL = "DEB0A701"


def options(order: Order) -> Facts:
    image = order.tree.part("image")["image"]
    wanted = order.tree.part("kargs", "remote", "ref", "architecture")
    verified = {"verified": bool(order.trusted_keys)} if any(order.tree.remote) else {}
    names = ("size", "firmware", "filesystem", "bootloader")
    return {**wanted, **verified, **{name: image[name] for name in names}}


def make(job: Job) -> Facts:
    """Leaves `disk.raw`."""
    commit = job.inputs["commit"].facts
    job.progress.report(0.0, "sysroot")
    root_uuid = gpt.named_uuid(commit["commit"], "root-filesystem")
    sysroot = deploy(job, Repo(job.tools, job.input("commit", "repo")), root_uuid)
    arguments = boot_arguments(sysroot)
    layout = _layout(job, sysroot, commit["commit"])
    job.progress.report(0.3, "file systems")
    _clamp_times(sysroot, commit["date"])
    root, esp = _root_image(job, sysroot, layout), _esp_image(job, sysroot, layout)
    shutil.rmtree(sysroot)
    job.progress.report(0.5, "partitions")
    disk = _assemble(job, layout, root, esp)
    job.progress.report(0.6, "digest")
    return {"digest": sha256(disk), "size": layout.size, "root_uuid": layout.root_uuid, "arguments": arguments}


def _layout(job: Job, sysroot: Path, seed: str) -> Layout:
    files = sum(len(folders) + len(names) for _, folders, names in os.walk(sysroot))
    image = job.tree.image
    needed = gpt.root_bytes_needed(bytes_below(sysroot), files, image.filesystem)
    layout = gpt.layout(image.size, needed, architecture=job.tree.architecture, seed=seed, place=image.place,
                        esp=gpt.esp_bytes(image.bootloader))  # fmt: skip
    job.log.line(f"disk {layout.size >> 20} MiB, root {layout.root.size >> 20} MiB, {needed >> 20} MiB needed")
    return layout


def _clamp_times(sysroot: Path, date: int) -> None:
    """No file is younger than the archive: the image is the same whenever it is made."""
    for top, folders, names in os.walk(sysroot):
        for path in (top, *(os.path.join(top, name) for name in (*folders, *names))):  # noqa: PTH118 - many files
            if os.lstat(path).st_mtime > date:
                os.utime(path, (date, date), follow_symlinks=False)


def _root_image(job: Job, sysroot: Path, layout: Layout) -> Path:
    path = job.folder / "root.img"
    _sparse(path, layout.root.size)
    filesystems.make(job.tools, job.tree.image.filesystem, RootSpec(
        source=sysroot, image=path, scratch=job.folder, uuid=layout.root_uuid,
        date=job.inputs["commit"].facts["date"]))  # fmt: skip
    return path


def _esp_image(job: Job, sysroot: Path, layout: Layout) -> Path:
    """The EFI system partition, with what the firmware starts."""
    path, content = job.folder / "esp.img", job.folder / "esp"
    _sparse(path, layout.esp.size)
    date = job.inputs["commit"].facts["date"]
    env = {"SOURCE_DATE_EPOCH": str(date), "MTOOLS_SKIP_CHECK": "1", "TZ": "UTC"}
    job.tools.run(["mkfs.vfat", "-F", "32", "-n", "ESP", "-i", ESP_SERIAL, "--invariant", path], env=env)
    content.mkdir()
    if job.tree.image.bootloader == "systemd-boot":
        esp.fill(job, sysroot, content)
    elif "uefi" in job.tree.image.firmware:
        (content / "EFI/BOOT").mkdir(parents=True)
        _grub_core(job, "uefi", layout).replace(content / "EFI/BOOT/BOOTX64.EFI")
    _clamp_times(content, date)
    for each in sorted(content.iterdir()):
        job.tools.run(["mcopy", "-s", "-m", "-Q", "-i", path, each, "::/"], env=env)
    shutil.rmtree(content)
    return path


def _grub_core(job: Job, firmware: str, layout: Layout) -> Path:
    embedded, core = job.folder / "embedded.cfg", job.folder / f"grub-{firmware}"
    embedded.write_text(grub.embedded_configuration(layout.root_uuid))
    job.tools.run(grub.mkimage_command(firmware, embedded, core, job.tree.image.filesystem))
    date = job.inputs["commit"].facts["date"]
    os.utime(core, (date, date))
    return core


def _assemble(job: Job, layout: Layout, root: Path, esp: Path) -> Path:
    disk = job.folder / "disk.raw"
    _sparse(disk, layout.size)
    job.tools.run(["sfdisk", "--quiet", disk], stdin=layout.script.encode())
    for source, partition in ((esp, layout.esp), (root, layout.root)):
        put_sparse(source, disk, partition.start)
        source.unlink()
    if "bios" in job.tree.image.firmware:
        boot = job.tools.root / "usr/lib/grub/i386-pc/boot.img"
        grub.install_bios(disk, layout, boot=boot, core=_grub_core(job, "bios", layout))
    for name in ("embedded.cfg", "grub-bios"):
        (job.folder / name).unlink(missing_ok=True)
    return disk


def _sparse(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


def deliver(order: Order, result: Result) -> list[Deliverable]:
    if "raw" not in order.tree.image.formats:
        return []
    facts = {"firmware": list(order.tree.image.firmware), "root_uuid": result.facts["root_uuid"],
             "virtual_size": result.facts["size"]}  # fmt: skip
    return [delivered(order.output, result.folder / "disk.raw", "disk.raw", kind="raw", facts=facts,
                      digest=result.digest)]  # fmt: skip


STAGE = Stage(name="disk", phase="image", make=make, needs=("commit",), options=options, deliver=deliver, revision=3,
              schema=takes("kargs", "remote", "ref", "architecture", size=COUNT, firmware=FIRMWARE, filesystem=TEXT,
                           bootloader=TEXT))  # fmt: skip
