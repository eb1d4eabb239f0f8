"""What a treefile says of its ISO."""

from __future__ import annotations

from dataclasses import dataclass

from composes.pipeline.treefiles.shapes import YES_OR_NO, Schema, mapping, text

STARTS = ("live", "install")
ENDS = ("poweroff", "reboot")


@dataclass(frozen=True, kw_only=True)
class IsoOptions:
    """What the ISO does by itself: `start` live or install; onto `disk`, a device or `auto` for the only empty one."""

    start: str = "live"
    disk: str = "auto"
    erase: bool = False  # a disk that holds data, too
    then: str = "poweroff"


ISO: Schema = mapping({
    "start": {"enum": list(STARTS)},
    "disk": text(r"(auto|/dev/[A-Za-z0-9][A-Za-z0-9_.:+/-]*)", "auto, or the name of a disk such as /dev/sda"),
    "erase": YES_OR_NO,
    "then": {"enum": list(ENDS)},
})  # fmt: skip
