"""What the medium's GRUB offers, and what the kernel is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from composes.pipeline.treefiles.iso import IsoOptions
from composes.pipeline.treefiles.treefile import Tree

OF_THE_DISK = ("root=", "rootflags=", "rootfstype=")
WITHOUT = ("systemd.mask=efi.automount", "systemd.mask=efi.mount")  # a medium's system has no such partition
MODULES = ("part_gpt", "part_msdos", "iso9660", "fat", "normal", "configfile", "search", "search_label", "linux",
           "serial", "terminal", "test", "echo", "ls", "cat", "reboot", "halt", "all_video", "gfxterm",
           "minicmd")  # fmt: skip
TARGETS = {"uefi": "x86_64-efi", "bios": "i386-pc-eltorito"}
MENU = """\
set timeout=5
set default={start}
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
"""
ENTRY = """\
menuentry '{title}' --id {name} {{
  linux /boot/vmlinuz {arguments}
  initrd /boot/initramfs.img /boot/live.img
}}
"""


def volume(commit: str) -> str:
    """The name of the file system: where the medium is found by."""
    return f"DEBATOMIC_{commit[:16].upper()}"


def configuration(tree: Tree, version: str, arguments: Sequence[str]) -> str:
    """grub.cfg: the live system and the installer; `image.iso.start` says which one is started after 5 seconds."""
    iso = tree.image.iso
    title = f"{tree.name} {tree.variant} {version}"
    end = {"poweroff": "switch off", "reboot": "restart"}[iso.then]
    where = "the empty disk" if iso.disk == "auto" else iso.disk
    over = "overwriting" if iso.erase else "to"
    entries = {"live": f"{title}: start without a disk", "install": f"{title}: install {over} {where}, then {end}"}
    texts = [ENTRY.format(title=text, name=name, arguments=" ".join([*arguments, *settings(iso, name)]))
             for name, text in entries.items()]  # fmt: skip
    return MENU.format(start=iso.start) + "".join(texts)


def settings(iso: IsoOptions, start: str) -> list[str]:
    """The arguments that are about the medium."""
    told = [f"debatomic.start={start}", f"debatomic.disk={iso.disk}", f"debatomic.then={iso.then}"]
    return [*told, "debatomic.erase=yes"] if iso.erase else told


def arguments(of_the_disk: str, label: str) -> list[str]:
    """The kernel's arguments on the disk, but with the medium as the root."""
    kept = [word for word in of_the_disk.split() if not word.startswith(OF_THE_DISK)]
    return [f"root=LABEL={label}", *kept, *WITHOUT]


def embedded_configuration(label: str) -> str:
    return (f"search --no-floppy --set=root --label {label}\nset prefix=($root)/boot/grub\n"
            "configfile ($root)/boot/grub/grub.cfg\n")  # fmt: skip


def mkimage_command(firmware: str, embedded: Path, output: Path) -> list[str]:
    own = ["biosdisk"] if firmware == "bios" else []
    return ["grub-mkimage", "-O", TARGETS[firmware], "-c", str(embedded), "-p", "/boot/grub", "-o", str(output),
            *MODULES, *own]  # fmt: skip
