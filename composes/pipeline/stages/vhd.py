"""The disk for Azure and Hyper-V: a fixed VHD, which is the raw disk and a footer."""

from __future__ import annotations

import struct
import uuid
from pathlib import Path

from composes.pipeline.graph import Facts
from composes.pipeline.job import Job
from composes.pipeline.stages import formats
from composes.pipeline.system import gpt
from debatomic.tools.errors import Kind, ToolError
from debatomic.tools.files import sha256

# Virtual Hard Disk Image Format Specification, "Hard Disk Footer Format"
FOOTER = 512
COOKIE = b"conectix"
CREATED, CHECKSUM, UNIQUE = 24, 64, 68  # offsets in the footer
EPOCH = 946684800  # dates count from 2000


def make(job: Job) -> Facts:
    """Leaves `disk.vhd`."""
    job.progress.report(0.9, "vhd")
    target = job.folder / "disk.vhd"
    job.tools.run(["qemu-img", "convert", "-f", "raw", "-O", "vpc", "-o", "subformat=fixed,force_size=on",
                   job.input("disk", "disk.raw"), target])  # fmt: skip
    identity = uuid.UUID(gpt.named_uuid(job.inputs["disk"].digest, "vhd"))
    settle_footer(target, date=job.inputs["commit"].facts["date"], identity=identity)
    return {"digest": sha256(target), "virtual_size": job.inputs["disk"].facts["size"]}


def settle_footer(path: Path, *, date: int, identity: uuid.UUID) -> None:
    """The footer with a settled date (seconds since 1970) and id, so the same disk gives the same file."""
    with path.open("r+b") as file:
        start = file.seek(-FOOTER, 2)
        footer = bytearray(file.read(FOOTER))
        if not footer.startswith(COOKIE):
            raise ToolError(f"{path.name} has no footer of a VHD.", kind=Kind.INTERNAL)
        struct.pack_into(">I", footer, CREATED, max(0, date - EPOCH))
        footer[UNIQUE : UNIQUE + 16] = identity.bytes
        struct.pack_into(">I", footer, CHECKSUM, 0)
        struct.pack_into(">I", footer, CHECKSUM, ~sum(footer) & 0xFFFFFFFF)
        file.seek(start)
        file.write(footer)


STAGE = formats.stage("vhd", make, needs=("commit", "disk"))
