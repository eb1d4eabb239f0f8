"""The tree as an OSTree commit in an archive repository that holds nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

from composes.pipeline.delivery import copy_repository, delivered, replacing
from composes.pipeline.graph import Deliverable, Facts, Result, Stage
from composes.pipeline.job import Job, Order
from composes.pipeline.publishing import caches
from composes.pipeline.publishing.ostree import CHECKSUM, Repo
from composes.pipeline.publishing.publish import export_repo
from composes.pipeline.treefiles.options import COMMIT, COUNT, takes
from debatomic.tools.errors import InputError
from debatomic.tools.files import sha256


def options(order: Order) -> Facts:
    wanted = order.tree.part("name", "variant", "architecture", "refs", "summary", "metadata")
    return {**wanted, "respin": order.respin, "previous": previous_commit(order)}


def previous_commit(order: Order) -> str:
    """The commit that a repository of earlier composes has for this ref; it becomes the parent."""
    if not order.previous_repo:
        return ""
    if not (order.previous_repo / "config").is_file():
        raise InputError(f"{order.previous_repo} is not an OSTree repository.")
    path = order.previous_repo / "refs/heads" / order.tree.ref
    commit = path.read_text().strip() if path.is_file() else ""
    if commit and not CHECKSUM.match(commit):
        raise InputError(f"{path} does not name a commit.")
    return commit


def version_of(debian_version: str, suite: str, date: int, respin: int) -> str:
    """As 13.20261121.0: Debian's major version (or the suite's name), the archive's date, the number of the compose."""
    major = debian_version.split(".", maxsplit=1)[0] or suite
    return f"{major}.{datetime.fromtimestamp(date, UTC):%Y%m%d}.{respin}"


def make(job: Job) -> Facts:
    gathered = job.inputs["gather"].facts
    version = version_of(gathered["debian_version"], job.tree.suite, gathered["date"], job.order.respin)
    with caches.opened(job) as (build, archive):
        commit_id = _commit(job, build, version)
        job.progress.report(0.3, "compressing new objects")
        archive.pull(build.path, commit_id, synced=False)
        job.progress.report(0.8, "repository of this compose")
        result = Repo(job.tools, job.folder / "repo").have("archive")
        result.pull(archive.path, commit_id, synced=False)
    result.set_ref(job.tree.ref, commit_id)
    result.summary()
    commit = result.show(commit_id)
    facts = {"commit": commit.id, "content_checksum": commit.content, "version": version, "ref": job.tree.ref,
             "parent": previous_commit(job.order), "date": gathered["date"]}  # fmt: skip
    export_repo(result.path, job.folder / "repo.tar")
    job.log.line(f"commit {commit.id} on {job.tree.ref}, version {version}")
    return {**facts, "digest": commit.id, "tar": sha256(job.folder / "repo.tar")}


def _commit(job: Job, build: Repo, version: str) -> str:
    parent = previous_commit(job.order)
    own = {f"debatomic.{key}": str(value) for key, value in job.tree.metadata}
    metadata = {**own, "version": version, "debatomic.lock": job.inputs["gather"].digest,
                "debatomic.variant": job.tree.variant}  # fmt: skip
    return build.read(
        "commit", "--orphan", *(f"--bind-ref={ref}" for ref in job.tree.refs),
        *([f"--parent={parent}"] if parent else []),
        "--bootable", "--fsync=no", f"--timestamp=@{job.inputs['gather'].facts['date']}",
        f"--subject={job.tree.name} {job.tree.variant} {version}",
        *(f"--add-metadata-string={key}={value}" for key, value in metadata.items()),
        f"--tree=dir={job.input('rootfs', 'tree')}",
    ).splitlines()[-1]  # fmt: skip


def deliver(order: Order, result: Result) -> list[Deliverable]:
    """The repository as a folder to look into, and as a tar to travel."""
    with replacing(order.output / "repo") as made:
        copy_repository(result.folder / "repo", made)
    facts = {key: result.facts[key] for key in ("commit", "content_checksum", "version", "ref")}
    return [delivered(order.output, result.folder / "repo.tar", "repo.tar", kind="repository", facts=facts,
                      digest=result.facts["tar"])]  # fmt: skip


STAGE = Stage(
    name="commit", phase="ostree", make=make, needs=("gather", "rootfs"), options=options, deliver=deliver,
    schema=takes("name", "variant", "architecture", "refs", "summary", "metadata", respin=COUNT, previous=COMMIT),
)  # fmt: skip
