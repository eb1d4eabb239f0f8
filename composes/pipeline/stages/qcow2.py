"""The disk as a compressed qcow2."""

from __future__ import annotations

import json

from composes.pipeline.graph import Facts
from composes.pipeline.job import Job
from composes.pipeline.stages import formats
from debatomic.tools.files import sha256


def make(job: Job) -> Facts:
    """Leaves `disk.qcow2`, checked."""
    job.progress.report(0.7, "qcow2")
    target = job.folder / "disk.qcow2"
    job.tools.run(["qemu-img", "convert", "-c", "-W", "-f", "raw", "-O", "qcow2", "-o", "compression_type=zstd",
                   job.input("disk", "disk.raw"), target])  # fmt: skip
    job.tools.run(["qemu-img", "check", "-q", target])
    shown = json.loads(job.tools.read(["qemu-img", "info", "--output=json", target]))
    return {"digest": sha256(target), "virtual_size": shown["virtual-size"]}


STAGE = formats.stage("qcow2", make)
