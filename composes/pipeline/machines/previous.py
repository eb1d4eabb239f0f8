"""The compose before this one, as its output folder (or a part of it) was kept: what the upgrade gate begins with."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from composes.pipeline.publishing.ostree import CHECKSUM
from debatomic.tools.errors import InputError
from debatomic.tools.files import sha256
from debatomic.tools.run import run

DISKS = ("disk.qcow2", "disk.raw", "disk.raw.zst")


@dataclass(frozen=True, kw_only=True)
class Previous:
    """A finished compose: its commit on `ref`, and its disk."""

    identity: str
    ref: str
    commit: str
    version: str
    disk: Path

    @property
    def facts(self) -> dict[str, str]:
        """What of it decides the gate's result."""
        return {"commit": self.commit, "ref": self.ref, "disk": sha256(self.disk)}


def read(folder: Path, *, disk: bool = True) -> Previous:
    """What a compose left in its output folder; its disk may come later. Raises InputError."""
    path = folder / "result.json"
    try:
        content = json.loads(path.read_text())
        ref, commit, version = (str(content[name]) for name in ("ref", "commit", "version"))
    except FileNotFoundError as error:
        raise InputError(f"{folder} holds no earlier compose: it has no result.json.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not the result of a compose.") from error
    found = next((folder / name for name in DISKS if (folder / name).is_file()), None if disk else folder / DISKS[0])
    if found is None or not CHECKSUM.match(commit):
        raise InputError(f"The compose in {folder} has no disk to upgrade: one of {', '.join(DISKS)}.")
    return Previous(identity=str(content.get("identity", "")) or folder.name, ref=ref, commit=commit, version=version,
                    disk=found)  # fmt: skip


def unpacked(disk: Path, folder: Path) -> tuple[Path, str]:
    """The disk as QEMU opens it, and its format; a compressed one is unpacked into `folder`."""
    if disk.suffix == ".qcow2":
        return disk, "qcow2"
    if disk.suffix != ".zst":
        return disk, "raw"
    raw = folder / disk.stem
    run(["zstd", "-q", "-d", "--sparse", os.fspath(disk), "-o", os.fspath(raw)])
    return raw, "raw"
