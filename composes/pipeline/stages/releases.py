"""What the archives hold now: their InRelease files, verified."""

from __future__ import annotations

from dataclasses import asdict

from composes.pipeline.graph import Facts, Stage
from composes.pipeline.job import Job
from composes.pipeline.packages import indexes
from debatomic.tools.files import write_json


def make(job: Job) -> Facts:
    if job.order.lock:
        job.log.line(f"The lock {job.order.lock.digest[:16]} says what is used; no archive is asked.")
        return {"digest": job.order.lock.digest}
    keys = job.folder / "keys"
    keys.mkdir()
    found = indexes.sources(job.tree, job.order.mirror, job.order.keyring, keys, job.order.snapshots)
    if job.tree.snapshot or not job.tree.check_valid_until:
        job.log.line("Whether the archives are out of date is not checked, as the treefile says.")
    for source in found:
        job.log.line(f"{source.release.url} of {source.release.fields['Date']}")
    write_json(job.folder / "releases.json", [asdict(each) for each in found])
    return {"digest": indexes.digest(found)}


STAGE = Stage(name="releases", phase="init", make=make, stored=False, uses_tools=False)
