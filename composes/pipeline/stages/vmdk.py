"""The disk for VMware: compressed, in one file."""

from __future__ import annotations

import re
from pathlib import Path

from composes.pipeline.graph import Facts
from composes.pipeline.job import Job
from composes.pipeline.stages import formats
from debatomic.tools.errors import Kind, ToolError
from debatomic.tools.files import sha256

HEAD = 64 << 10  # the description is text in the first sectors of the file
DESCRIPTION = b"# Disk DescriptorFile"
CONTENT_ID = re.compile(rb"(?m)^CID=[0-9a-f]{1,8}$")  # without leading zeros


def make(job: Job) -> Facts:
    """Leaves `disk.vmdk`, checked."""
    job.progress.report(0.8, "vmdk")
    target = job.folder / "disk.vmdk"
    job.tools.run(["qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized",
                   job.input("disk", "disk.raw"), target])  # fmt: skip
    settle_content_id(target, job.inputs["disk"].digest[:8])
    job.tools.run(["qemu-img", "compare", "-q", "-f", "raw", "-F", "vmdk", job.input("disk", "disk.raw"), target])
    return {"digest": sha256(target), "virtual_size": job.inputs["disk"].facts["size"]}


def settle_content_id(path: Path, digits: str) -> None:
    """qemu-img draws the content's id by lot; it becomes these hex digits, so the same disk gives the same file."""
    with path.open("r+b") as file:
        head = file.read(HEAD)
        start = head.find(DESCRIPTION)
        text = head[start:].partition(b"\0")[0]
        settled, found = CONTENT_ID.subn(b"CID=" + digits.encode(), text)
        room = head[start + len(text) :][: len(digits)]
        if start < 0 or not found or room != bytes(len(digits)):
            raise ToolError(f"{path.name} has no description with a content id.", kind=Kind.INTERNAL)
        file.seek(start)
        file.write(settled.ljust(len(text), b"\0"))


STAGE = formats.stage("vmdk", make)
