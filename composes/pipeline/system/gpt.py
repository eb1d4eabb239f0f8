"""Where things lie on the disk: the arithmetic of the partition table, in bytes and sectors."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from debatomic.tools.errors import InputError

SECTOR = 512
MIB = 1 << 20
BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"
ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
ROOT = {"amd64": "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709", "arm64": "B921B045-1DF0-41C3-AF44-4C6F280D3FAE"}
ESP_BYTES = 256 * MIB
KERNELS_BYTES = 768 * MIB  # an ESP that holds kernels: those of three deployments
HEAD = MIB  # before the first partition: protective MBR, GPT header and entries
TAIL = MIB  # after the last one: the backup GPT
TABLES = {"ext4": 96 * MIB, "xfs": 352 * MIB, "btrfs": 384 * MIB}  # what a file system keeps, and room to work in
NAMESPACE = uuid.UUID("0deb0a70-0000-4000-8000-000000000001")


@dataclass(frozen=True, kw_only=True)
class Partition:
    name: str
    type: str
    start: int  # bytes
    size: int  # bytes
    uuid: str

    @property
    def line(self) -> str:
        """As sfdisk reads it."""
        return (f"start={self.start // SECTOR}, size={self.size // SECTOR}, type={self.type}, "
                f"uuid={self.uuid.upper()}, name={self.name}")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A disk that boots: BIOS-boot, ESP and root; `root_uuid` is the UUID of the root file system."""

    size: int
    disk_uuid: str
    root_uuid: str
    bios: Partition
    esp: Partition
    root: Partition

    @property
    def script(self) -> str:
        """What sfdisk is told."""
        lines = ["label: gpt", f"label-id: {self.disk_uuid.upper()}", "unit: sectors"]
        return "\n".join([*lines, *(each.line for each in (self.bios, self.esp, self.root))]) + "\n"


def named_uuid(seed: str, purpose: str) -> str:
    """The same seed and purpose give the same UUID: images are repeatable."""
    return str(uuid.uuid5(NAMESPACE, f"{seed}/{purpose}"))


def root_bytes_needed(content: int, files: int, filesystem: str = "ext4") -> int:
    """The least root file system for `content` bytes in `files` files and folders: its tables, and room to work in."""
    tables = files * 512 + content // 16
    return _up(content + tables + TABLES[filesystem])


def esp_bytes(bootloader: str) -> int:
    """How large the EFI system partition is: systemd-boot reads the kernels from it, GRUB from the root."""
    return KERNELS_BYTES if bootloader == "systemd-boot" else ESP_BYTES


def disk_bytes(root: int, esp: int = ESP_BYTES) -> int:
    """The disk for a root file system of `root` bytes, in whole MiB."""
    return _up(_fixed(esp) + root)


def _fixed(esp: int) -> int:
    """All but the root."""
    return HEAD + MIB + esp + TAIL


def layout(
    size: int, needed: int, *, architecture: str, seed: str, place: str = "", esp: int = ESP_BYTES
) -> Layout:  # fmt: skip
    """The disk of `size` bytes (0: as the system needs to hold two deployments) for a root of at least `needed`.

    Raises InputError, naming `place`, when the disk is too small.
    """
    fixed = _fixed(esp)
    size = _up(size or fixed + 2 * needed + 512 * MIB)
    root_size = size - fixed
    if root_size < needed:
        least = -(-(needed + fixed) // MIB)
        where = f"{place}: " if place else ""
        raise InputError(
            f"{where}image.size is too small: {size // MIB}M, but this system needs at least {least}M.",
            hint="Set image.size in the treefile to more, twice that leaves room for an upgrade; or to auto.",
        )
    esp_start = HEAD + MIB
    return Layout(
        size=size, disk_uuid=named_uuid(seed, "disk"), root_uuid=named_uuid(seed, "root-filesystem"),
        bios=Partition(name="bios", type=BIOS_BOOT, start=HEAD, size=MIB, uuid=named_uuid(seed, "bios")),
        esp=Partition(name="esp", type=ESP, start=esp_start, size=esp, uuid=named_uuid(seed, "esp")),
        root=Partition(name="root", type=ROOT[architecture], start=esp_start + esp, size=root_size,
                       uuid=named_uuid(seed, "root")),
    )  # fmt: skip


def _up(size: int) -> int:
    return -(-size // MIB) * MIB
