"""What the system consists of, recorded so that any later compose can be compared with it."""

from __future__ import annotations

from pathlib import Path

from chroots.engine.archives.fetch import Store
from composes.pipeline.contents import changelogs, defaults, objects, status
from composes.pipeline.contents.defaults import Default
from composes.pipeline.contents.record import NAME, OBJECTS, Contents, Installed
from composes.pipeline.delivery import delivered
from composes.pipeline.graph import Deliverable, Facts, Result, Stage
from composes.pipeline.job import Job, Order
from composes.pipeline.packages import lock as locks
from composes.pipeline.stages.gather import fetch
from composes.pipeline.system.inside import inside
from debatomic.tools.files import sha256


def make(job: Job) -> Facts:
    """Leaves the record of packages, changelogs and defaults, and the list of the commit's objects."""
    lock = locks.read(job.input("gather", "lock.json"))
    fetch(job, lock)
    packages, etc = inside(job.input("rootfs", "tree"), _looked)
    found = changelogs.of_sources(lock.packages, Store(job.order.state.files))
    contents = Contents(architecture=lock.architecture, packages=packages, changelogs=found, etc=etc)
    contents.write(job.folder / NAME)
    number, size = objects.write(job.input("commit", "repo"), job.folder / OBJECTS)
    job.log.line(f"{len(found)} changelogs, {len(etc)} defaults in /etc, {number} objects of {size / 1e6:.1f} MB")
    return {"digest": sha256(job.folder / NAME), "installed_size": contents.size, "changelogs": len(found),
            "defaults": len(etc), "objects": number, "objects_size": size}  # fmt: skip


def _looked(root: Path) -> tuple[dict[str, Installed], dict[str, Default]]:
    return status.read(root), defaults.read(root / "usr/etc")


def deliver(order: Order, result: Result) -> list[Deliverable]:
    about = {key: result.facts[key] for key in ("installed_size", "changelogs", "defaults")}
    objects_about = {key: result.facts[key] for key in ("objects", "objects_size")}
    return [delivered(order.output, result.folder / NAME, NAME, kind="contents", facts=about),
            delivered(order.output, result.folder / OBJECTS, OBJECTS, kind="objects", facts=objects_about)]  # fmt: skip


STAGE = Stage(name="contents", phase="ostree", make=make, needs=("gather", "rootfs", "commit"), deliver=deliver,
              uses_tools=False)  # fmt: skip
