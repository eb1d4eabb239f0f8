"""The root file system made from a folder: by its own mkfs, into a file, without a mount."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from composes.pipeline.system import xfs
from composes.pipeline.system.gpt import named_uuid
from composes.pipeline.tools import Tools

LABEL = "root"


@dataclass(frozen=True, kw_only=True)
class RootSpec:
    """`source` becomes the content of `image`, a file that has its size; `date` is of the youngest file (seconds)."""

    source: Path
    image: Path
    scratch: Path  # on the file system of `source`
    uuid: str
    date: int


def make(tools: Tools, kind: str, spec: RootSpec) -> None:
    """Fill the image. Owners, modes, links, hard links, xattrs and capabilities are those of the source."""
    MAKERS[kind](tools, spec)


def _ext4(tools: Tools, spec: RootSpec) -> None:
    tools.run(
        ["mkfs.ext4", "-q", "-F", "-L", LABEL, "-m", "1", "-U", spec.uuid,
         "-E", f"hash_seed={spec.uuid},root_owner=0:0", "-O", "verity", "-d", spec.source, spec.image],
        env={"SOURCE_DATE_EPOCH": str(spec.date)},
    )  # fmt: skip


def _btrfs(tools: Tools, spec: RootSpec) -> None:
    tools.run(["mkfs.btrfs", "-q", "-f", "-L", LABEL, "-U", spec.uuid, "--device-uuid",
               named_uuid(spec.uuid, "btrfs-device"), "--rootdir", spec.source, spec.image])  # fmt: skip
    tools.run(["btrfs", "check", "--readonly", "--force", spec.image])


def _xfs(tools: Tools, spec: RootSpec) -> None:
    xfs.make(tools, spec.source, spec.image, spec.scratch, uuid=spec.uuid, label=LABEL)


MAKERS: dict[str, Callable[[Tools, RootSpec], None]] = {"ext4": _ext4, "xfs": _xfs, "btrfs": _btrfs}
