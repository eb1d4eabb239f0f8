"""The lock, solved or given, and every package file it names."""

from __future__ import annotations

import json
import shutil
from typing import Any

from chroots.engine.archives.fetch import Missing, RemoteFile, Store
from chroots.engine.archives.release import Release
from composes.pipeline.delivery import delivered
from composes.pipeline.graph import Deliverable, Facts, Result, Stage
from composes.pipeline.job import Job, Order
from composes.pipeline.packages import debs
from composes.pipeline.packages import lock as locks
from composes.pipeline.packages.indexes import Source, packages_text
from composes.pipeline.packages.lock import Lock
from composes.pipeline.packages.solve import Listed, solve
from composes.pipeline.treefiles.options import DIGEST, takes
from composes.pipeline.treefiles.treefile import Repository
from debatomic.tools.errors import InputError


def options(order: Order) -> Facts:
    wanted = order.tree.part("suite", "architecture", "packages", "exclude", "recommends", "components", "repositories",
                              "debs")  # fmt: skip
    return {"lock": order.lock.digest} if order.lock else wanted


def make(job: Job) -> Facts:
    lock = given(job) if job.order.lock else solved(job)
    job.log.line(f"{len(lock.packages)} packages, {lock.size / 1e6:.1f} MB")
    fetch(job, lock)
    lock.write(job.folder / "lock.json")
    return {"digest": lock.digest, "packages": len(lock.packages), "size": lock.size, "date": lock.date,
            "debian_version": lock.debian_version}  # fmt: skip


def given(job: Job) -> Lock:
    assert job.order.lock
    locks.check_fits(job.order.lock, job.tree.suite, job.tree.architecture)
    return job.order.lock


def solved(job: Job) -> Lock:
    store = Store(job.order.state.files)
    listed = []
    for source in read_sources(job):
        job.progress.report(0.05, f"lists of {source.repository.name}")
        listed.append(Listed(source=source, text=packages_text(source, job.tree.architecture, store)))
    if job.tree.debs:
        listed.append(debs.listed(job))
    job.progress.report(0.3, "solving")
    apt = job.folder / "apt"
    apt.mkdir()
    lock = solve(job.tree, listed, apt, job.tools)
    shutil.rmtree(apt)
    return lock


def read_sources(job: Job) -> list[Source]:
    return [_source(each) for each in json.loads(job.input("releases", "releases.json").read_text())]


def _source(content: dict[str, Any]) -> Source:
    repository, release = content["repository"], content["release"]
    repository["components"] = tuple(repository["components"])
    release["files"] = {path: tuple(entry) for path, entry in release["files"].items()}
    return Source(repository=Repository(**repository), release=Release(**release))


def fetch(job: Job, lock: Lock) -> None:
    """Have every package file of the lock in the store. Raises InputError naming what cannot be had."""
    debs.keep(job.order)
    debs.check(job.order, lock)
    files = [RemoteFile(name=each.file_name, url=each.uri, size=each.size, sha256=each.sha256)
             for each in lock.packages if each.origin != debs.ORIGIN]  # fmt: skip

    def done(count: int) -> None:
        job.progress.report(0.4 + 0.6 * count / max(1, len(files)), f"{count} of {len(files)} packages")

    try:
        Store(job.order.state.files).get_all(files, done)
    except Missing as error:
        lost = next((each for each in lock.packages if each.uri in str(error)), None)
        what = f"{lost.name} {lost.version}" if lost else "A package"
        raise InputError(f"{what} of the lock cannot be had any more: {error}",
                         hint="Make a new lock, or use a mirror that has it.") from error  # fmt: skip


def deliver(order: Order, result: Result) -> list[Deliverable]:
    facts = {"packages": result.facts["packages"], "size": result.facts["size"]}
    return [delivered(order.output, result.folder / "lock.json", "lock.json", kind="lock", facts=facts)]


STAGE = Stage(name="gather", phase="gather", make=make, needs=("releases",), options=options, deliver=deliver,
              schema=takes("suite", "architecture", "packages", "exclude", "recommends", "components", "repositories",
                           "debs", lock=DIGEST))  # fmt: skip
