"""GRUB on the disk without its installer: configuration, modules, and the two patched blocks a BIOS starts from."""

from __future__ import annotations

import struct
from pathlib import Path

from composes.pipeline.system.gpt import SECTOR, Layout
from debatomic.tools.errors import Kind, ToolError

MODULES = (
    "part_gpt", "fat", "normal", "configfile", "search", "search_fs_uuid", "search_label", "linux", "linux16",
    "syslinuxcfg", "serial", "terminal", "test", "echo", "ls", "cat", "reboot", "halt", "all_video", "gfxterm",
    "minicmd", "regexp",
)  # fmt: skip
CONFIGURATION = """\
set timeout=2
set default=0
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
insmod part_gpt
insmod syslinuxcfg
syslinux_configfile -s /boot/loader/syslinux.cfg
"""
# Without UI and TIMEOUT GRUB would start the first entry instead of showing a menu; libostree keeps these lines.
SYSLINUX_HEADER = "UI menu.c32\nTIMEOUT 20\n"
READS = {"ext4": "ext2", "xfs": "xfs", "btrfs": "btrfs"}  # the module for the root's file system
TARGETS = {"uefi": "x86_64-efi", "bios": "i386-pc"}


def embedded_configuration(root_uuid: str) -> str:
    """What GRUB's core knows by itself: how to find the rest."""
    return (f"search --no-floppy --set=root --fs-uuid {root_uuid}\n"
            "set prefix=($root)/boot/grub\nconfigfile ($root)/boot/grub/grub.cfg\n")  # fmt: skip


def mkimage_command(firmware: str, embedded: Path, output: Path, filesystem: str = "ext4") -> list[str]:
    """Makes the core image for `bios` or `uefi`, that reads a root of this file system."""
    own = [READS[filesystem], *(["biosdisk"] if firmware == "bios" else [])]
    return ["grub-mkimage", "-O", TARGETS[firmware], "-c", str(embedded), "-p", "/boot/grub", "-o", str(output),
            *MODULES, *own]  # fmt: skip


def bios_blocks(boot: bytes, core: bytes, mbr: bytes, first_sector: int) -> tuple[bytes, bytes]:
    """GRUB's boot.img for sector 0 and its core for `first_sector` on, as grub-bios-setup would patch them.

    boot.img: where the core lies (offset 0x5c), no check of the drive number (0x66), the table of `mbr` kept.
    core: its first block list begins with the sector after its own (0x1f4).
    """
    patched = bytearray(boot[:SECTOR])
    struct.pack_into("<Q", patched, 0x5C, first_sector)
    patched[0x66:0x68] = b"\x90\x90"
    patched[0x3:0x5A] = mbr[0x3:0x5A]
    patched[0x1B8:0x200] = mbr[0x1B8:0x200]
    started = bytearray(core)
    struct.pack_into("<Q", started, 0x1F4, first_sector + 1)
    return bytes(patched), bytes(started)


def install_bios(disk: Path, layout: Layout, *, boot: Path, core: Path) -> None:
    """Write GRUB for BIOS into a partitioned disk image."""
    if core.stat().st_size > layout.bios.size:
        raise ToolError("GRUB's core does not fit its partition.", kind=Kind.INTERNAL)
    with disk.open("r+b") as file:
        mbr = file.read(SECTOR)
        sector_0, started = bios_blocks(boot.read_bytes(), core.read_bytes(), mbr, layout.bios.start // SECTOR)
        file.seek(0)
        file.write(sector_0)
        file.seek(layout.bios.start)
        file.write(started)
