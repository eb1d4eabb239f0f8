"""The medium itself: a CD, and the same bytes on a USB stick, that starts by BIOS and by UEFI."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from composes.pipeline.job import Job
from composes.pipeline.live import menu
from composes.pipeline.system import gpt
from composes.pipeline.tools import Tools

ESP_BYTES = 8 << 20
ESP_SERIAL = "DEB0A702"
ELTORITO = "boot/grub/eltorito.img"
HYBRID = "/usr/lib/grub/i386-pc/boot_hybrid.img"  # the boot sector of a USB stick


def environment(date: int) -> dict[str, str]:
    """The archive's date is that of everything."""
    return {"SOURCE_DATE_EPOCH": str(date), "TZ": "UTC", "MTOOLS_SKIP_CHECK": "1"}


def squash(tools: Tools, source: Path, target: Path, *, date: int) -> None:
    """`source` as a squashfs; holes stay holes."""
    tools.run(["mksquashfs", source, target, "-comp", "zstd", "-Xcompression-level", "12", "-b", "256K", "-all-root",
               "-no-xattrs", "-no-exports", "-noappend", "-no-progress", "-quiet"], env=environment(date))  # fmt: skip


def write_grub(job: Job, content: Path, label: str, configuration: str) -> None:
    """GRUB below `content`, for a BIOS; for UEFI beside it, as the file system `esp.img`."""
    date = int(job.inputs["commit"].facts["date"])
    folder, embedded = content / "boot/grub", job.folder / "embedded.cfg"
    folder.mkdir()
    (folder / "grub.cfg").write_text(configuration)
    embedded.write_text(menu.embedded_configuration(label))
    if "bios" in job.tree.image.firmware:
        job.tools.run(menu.mkimage_command("bios", embedded, content / ELTORITO))
    if "uefi" in job.tree.image.firmware:
        loader = job.folder / "BOOTX64.EFI"
        job.tools.run(menu.mkimage_command("uefi", embedded, loader))
        os.utime(loader, (date, date))
        _write_esp(job.tools, loader, job.folder / "esp.img", environment(date))
        loader.unlink()
    embedded.unlink()


def _write_esp(tools: Tools, loader: Path, esp: Path, env: dict[str, str]) -> None:
    with esp.open("wb") as file:
        file.truncate(ESP_BYTES)
    tools.run(["mkfs.vfat", "-n", "EFI", "-i", ESP_SERIAL, "--invariant", esp], env=env)
    tools.run(["mmd", "-i", esp, "::/EFI", "::/EFI/BOOT"], env=env)
    tools.run(["mcopy", "-m", "-i", esp, loader, "::/EFI/BOOT/BOOTX64.EFI"], env=env)


def pack(job: Job, content: Path, label: str, target: Path) -> None:
    """The ISO of what is below `content`, which is gone then."""
    facts = job.inputs["commit"].facts
    date, esp = int(facts["date"]), job.folder / "esp.img"
    for path in (content, *content.rglob("*")):
        os.utime(path, (date, date))
    firmware = job.tree.image.firmware
    job.tools.run(xorriso(label, content, target, esp=esp, firmware=firmware, date=date, seed=facts["commit"]),
                  env=environment(date))  # fmt: skip
    shutil.rmtree(content)
    esp.unlink(missing_ok=True)


def xorriso(
    label: str, content: Path, target: Path, *, esp: Path, firmware: tuple[str, ...], date: int, seed: str
) -> list[str]:
    """The command; `date` is in seconds since 1970, `seed` decides the id of the partition table."""
    args = ["xorriso", "-as", "mkisofs", "-quiet", "-iso-level", "3", "-r", "-V", label,
            f"--modification-date={datetime.fromtimestamp(date, UTC):%Y%m%d%H%M%S}00",
            "--gpt_disk_guid", gpt.named_uuid(seed, "iso").replace("-", "")]  # fmt: skip
    if "bios" in firmware:
        args += ["-b", ELTORITO, "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", "--grub2-boot-info",
                 "--grub2-mbr", HYBRID]  # fmt: skip
    if "uefi" in firmware:
        args += ["-append_partition", "2", "0xef", os.fspath(esp), "-appended_part_as_gpt", "-eltorito-alt-boot", "-e",
                 "--interval:appended_partition_2:all::", "-no-emul-boot"]  # fmt: skip
    return [*args, "-o", os.fspath(target), os.fspath(content)]
