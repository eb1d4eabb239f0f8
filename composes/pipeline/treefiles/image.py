"""What a treefile says of its disk: size, formats, firmware, boot loader and file system."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from composes.pipeline.customized.folding import Folded
from composes.pipeline.system import gpt
from composes.pipeline.treefiles.iso import IsoOptions
from composes.pipeline.treefiles.marks import place_of, prefix
from composes.pipeline.treefiles.sizes import size_in_bytes
from debatomic.tools.errors import InputError


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """`size` of the whole disk in bytes, 0 for just enough; `filesystem` of the root."""

    size: int = 0
    formats: tuple[str, ...] = ("raw", "qcow2", "oci")
    firmware: tuple[str, ...] = ("bios", "uefi")
    failable: tuple[str, ...] = ()  # formats without which a compose is still one
    filesystem: str = "ext4"
    bootloader: str = "grub"
    iso: IsoOptions = field(default_factory=IsoOptions)
    place: str = field(default="", compare=False)  # where `size` was written


def image_of(part: dict[str, Any], folded: Folded) -> ImageOptions:
    """Of a treefile's merged part; its customisations may ask for a larger disk. Raises InputError."""
    known: dict[str, Any] = {key: tuple(part[key]) for key in ("formats", "firmware", "failable") if part.get(key)}
    known |= {key: part[key] for key in ("filesystem", "bootloader") if key in part}
    known["iso"] = IsoOptions(**part.get("iso", {}))
    _check(ImageOptions(**known))
    size = part.get("size", "auto")
    esp = gpt.esp_bytes(known.get("bootloader", "grub"))
    least = gpt.disk_bytes(folded.root_bytes, esp) if folded.root_bytes else 0
    place = folded.root_place if least > size_in_bytes(size) else place_of(size)
    return ImageOptions(size=max(size_in_bytes(size), least), place=place, **known)


def _check(options: ImageOptions) -> None:
    if options.bootloader == "systemd-boot" and "bios" in options.firmware:
        raise InputError(f"{prefix(options.bootloader)}systemd-boot is started by UEFI only, but image.firmware "
                         "has bios.", hint="Say remove-firmware: [bios], or bootloader: grub.")  # fmt: skip
