"""What the system is made of, as SPDX and as CycloneDX."""

from __future__ import annotations

import json

from composes.pipeline.bill import cyclonedx, packages, spdx
from composes.pipeline.bill.system import System
from composes.pipeline.delivery import delivered
from composes.pipeline.graph import Deliverable, Facts, Result, Stage
from composes.pipeline.job import Job, Order
from composes.pipeline.packages import lock as locks
from composes.pipeline.stages.commit import version_of
from composes.pipeline.system.inside import inside
from composes.pipeline.treefiles.options import COUNT, takes
from debatomic.tools.files import sha256, write_json

NAMES = {"spdx": "sbom.spdx.json", "cyclonedx": "sbom.cdx.json"}
INSTALLED = "installed.json"


def options(order: Order) -> Facts:
    return {**order.tree.part("name", "variant", "architecture", "suite"), "respin": order.respin}


def make(job: Job) -> Facts:
    """Leaves both documents, and the packages for the stages that look into them."""
    lock = locks.read(job.input("gather", "lock.json"))
    found = packages.with_digests(inside(job.input("rootfs", "tree"), packages.installed), packages.digests(lock))
    system = _system(job)
    write_json(job.folder / NAMES["spdx"], spdx.document(system, found))
    write_json(job.folder / NAMES["cyclonedx"], cyclonedx.document(system, found))
    write_json(job.folder / INSTALLED, [vars(each) for each in found])
    known = sum(bool(each.licence) for each in found)
    job.log.line(f"{len(found)} packages, the licences of {known} of them known")
    return {"digest": sha256(job.folder / NAMES["spdx"]), "packages": len(found), "with_licence": known}


def _system(job: Job) -> System:
    tree, gathered = job.tree, job.inputs["gather"]
    date = gathered.facts["date"]
    version = version_of(gathered.facts["debian_version"], tree.suite, date, job.order.respin)
    return System(name=tree.name, variant=tree.variant, version=version, suite=tree.suite,
                  architecture=tree.architecture, date=date, seed=gathered.digest)  # fmt: skip


def installed(result: Result) -> list[packages.Installed]:
    """The packages of a system whose bill was made."""
    return [packages.Installed(**each) for each in json.loads((result.folder / INSTALLED).read_text())]


def deliver(order: Order, result: Result) -> list[Deliverable]:
    facts = {"packages": result.facts["packages"], "with_licence": result.facts["with_licence"]}
    return [delivered(order.output, result.folder / name, name, kind=kind, facts=facts)
            for kind, name in NAMES.items()]  # fmt: skip


STAGE = Stage(name="sbom", phase="image", make=make, needs=("gather", "rootfs"), options=options, deliver=deliver,
              uses_tools=False, schema=takes("name", "variant", "architecture", "suite", respin=COUNT))  # fmt: skip
