"""What is known against the packages of the system, or why nothing is."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from composes.pipeline.bill import tracker
from composes.pipeline.delivery import delivered
from composes.pipeline.graph import Deliverable, Facts, Result, Stage
from composes.pipeline.job import Job, Order
from composes.pipeline.stages import sbom
from composes.pipeline.treefiles.options import takes
from debatomic.tools.errors import InputError
from debatomic.tools.files import write_json

NAME = "vulnerabilities.json"
FORMAT = 1


def options(order: Order) -> Facts:
    return order.tree.part("suite")


def make(job: Job) -> Facts:
    """Leaves the list; facts: `asked`, `reason` (why not) and `counts` by urgency of what is not resolved."""
    source = job.inputs["tracker"].facts
    try:
        found = _found(job, source)
        reason = source.get("reason", "")
    except InputError as error:
        found, reason = [], str(error)
    counts = dict(Counter(each.urgency for each in found if each.status != "undetermined"))
    facts: dict[str, Any] = {"asked": not reason, "reason": reason, "of": source.get("of", ""), "counts": counts}
    write_json(job.folder / NAME, {"format": FORMAT, "suite": job.tree.suite, **facts,
                                   "vulnerabilities": [asdict(each) for each in found]})  # fmt: skip
    told = ", ".join(f"{counts[name]} {name}" for name in tracker.URGENCIES if name in counts)
    job.log.line(reason or f"known vulnerabilities: {told or 'none'}")
    return facts


def _found(job: Job, source: Facts) -> list[tracker.Vulnerability]:
    if "data" not in source:
        return []
    data = tracker.read(Path(source["data"]))
    return tracker.vulnerabilities(data, sbom.installed(job.inputs["sbom"]), job.tree.suite)


def deliver(order: Order, result: Result) -> list[Deliverable]:
    return [delivered(order.output, result.folder / NAME, NAME, kind="vulnerabilities", facts=result.facts)]


STAGE = Stage(name="vulnerabilities", phase="image", make=make, needs=("tracker", "sbom"), options=options,
              deliver=deliver, uses_tools=False, schema=takes("suite"))  # fmt: skip
