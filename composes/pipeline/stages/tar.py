"""The root file system as one compressed tar."""

from __future__ import annotations

import zstandard

from composes.pipeline.container import content, tarball
from composes.pipeline.delivery import delivered
from composes.pipeline.graph import Deliverable, Facts, Result, Stage
from composes.pipeline.job import Job, Order
from debatomic.tools.files import sha256

NAME = "root.tar.zst"
LEVEL = 5


def wanted(order: Order) -> bool:
    return "tar" in order.tree.image.formats


def make(job: Job) -> Facts:
    """Leaves the tar: the tree with /etc, as the container has it."""
    job.progress.report(0.95, "tar of the root file system")
    found = list(content.entries(job.input("rootfs", "tree")))
    target = job.folder / NAME
    with target.open("wb") as file, zstandard.ZstdCompressor(level=LEVEL, threads=-1).stream_writer(file) as packer:
        tarball.write(found, packer.write, date=job.inputs["gather"].facts["date"])
    return {"digest": sha256(target), "size": content.size(found)}


def deliver(order: Order, result: Result) -> list[Deliverable]:
    facts = {"size": result.facts["size"]}
    return [delivered(order.output, result.folder / NAME, NAME, kind="tar", facts=facts, digest=result.digest)]


STAGE = Stage(name="tar", phase="image", make=make, needs=("gather", "rootfs"), wanted=wanted, deliver=deliver,
              uses_tools=False)  # fmt: skip
