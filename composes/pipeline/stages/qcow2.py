"""The disk as a compressed qcow2."""

from __future__ import annotations

import json

from composes.pipeline.delivery import delivered
from composes.pipeline.graph import Deliverable, Facts, Result, Stage
from composes.pipeline.job import Job, Order
from debatomic.tools.files import sha256


def wanted(order: Order) -> bool:
    return "qcow2" in order.tree.image.formats


def make(job: Job) -> Facts:
    """Leaves `disk.qcow2`, checked."""
    job.progress.report(0.7, "qcow2")
    target = job.folder / "disk.qcow2"
    job.tools.run(["qemu-img", "convert", "-c", "-W", "-f", "raw", "-O", "qcow2", "-o", "compression_type=zstd",
                   job.input("disk", "disk.raw"), target])  # fmt: skip
    job.tools.run(["qemu-img", "check", "-q", target])
    shown = json.loads(job.tools.read(["qemu-img", "info", "--output=json", target]))
    return {"digest": sha256(target), "virtual_size": shown["virtual-size"]}


def deliver(order: Order, result: Result) -> list[Deliverable]:
    facts = {"firmware": list(order.tree.image.firmware), "virtual_size": result.facts["virtual_size"]}
    return [delivered(order.output, result.folder / "disk.qcow2", "disk.qcow2", kind="qcow2", facts=facts,
                      digest=result.digest)]  # fmt: skip


STAGE = Stage(name="qcow2", phase="image", make=make, needs=("disk",), wanted=wanted, deliver=deliver)
