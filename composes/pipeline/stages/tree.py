"""The packages of the lock, installed by mmdebstrap: exactly those and nothing else."""

from __future__ import annotations

import os
import re
from pathlib import Path

from chroots.engine.archives.fetch import Store
from composes.pipeline.graph import Facts, Stage
from composes.pipeline.job import Job, Order
from composes.pipeline.packages import lock as locks
from composes.pipeline.packages.indexes import write_archive
from composes.pipeline.packages.lock import Lock
from composes.pipeline.stages.gather import fetch
from composes.pipeline.treefiles.options import takes
from debatomic.tools.errors import CommandFailed, Kind, ToolError
from debatomic.tools.files import link_or_copy

WITHOUT_DOCUMENTATION = (
    "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright", "--dpkgopt=path-exclude=/usr/share/info/*",
)  # fmt: skip
STEP = re.compile(rb"^(Selecting previously|Unpacking|Setting up|Preparing to unpack) ", re.MULTILINE)
STEPS_PER_PACKAGE = 4
CULPRIT = re.compile(r"^(?:dpkg: error processing|E: |dpkg: error: ).*$", re.MULTILINE)


def options(order: Order) -> Facts:
    return order.tree.part("documentation")


def command(lock: Lock, repository: Path, target: Path, *, documentation: bool) -> list[str]:
    names = ",".join(package.name for package in lock.packages)
    return [
        "mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", "--verbose",
        f"--architectures={lock.architecture}", f"--include={names}",
        "--aptopt=APT::Install-Recommends \"false\"", "--aptopt=APT::Sandbox::User \"root\"",
        "--dpkgopt=force-unsafe-io", *(() if documentation else WITHOUT_DOCUMENTATION),
        lock.suite, os.fspath(target), f"deb [trusted=yes] copy:{repository} ./",
    ]  # fmt: skip


def make(job: Job) -> Facts:
    lock = locks.read(job.input("gather", "lock.json"))
    fetch(job, lock)
    repository = job.folder / "repository"
    _link_files(job, lock, repository)
    _write_index(job, repository)
    job.log.line(f"Installing {len(lock.packages)} packages.")
    _install(job, lock, repository)
    _remove(repository)
    _check_installed(job, lock)
    return {"date": lock.date}


def _link_files(job: Job, lock: Lock, repository: Path) -> None:
    store = Store(job.order.state.files)
    repository.mkdir()
    for package in lock.packages:
        link_or_copy(store.path(package.sha256), repository / package.file_name)


def _write_index(job: Job, repository: Path) -> None:
    text = job.tools.run(["apt-ftparchive", "packages", repository], capture=True, log=None).stdout
    packages = text.replace(f"Filename: {repository}/", "Filename: ./").encode()
    write_archive(repository, packages, origin="lock", suite=job.tree.suite)


def _install(job: Job, lock: Lock, repository: Path) -> None:
    steps, total = 0, len(lock.packages) * STEPS_PER_PACKAGE

    def output(chunk: bytes) -> None:
        nonlocal steps
        job.log(chunk)
        if found := len(STEP.findall(chunk)):
            steps += found
            job.progress.report(0.6 * min(1.0, steps / total), "installing packages")

    args = command(lock, repository, job.folder / "tree", documentation=job.tree.documentation)
    env = {"SOURCE_DATE_EPOCH": str(lock.date), "INITRD": "No", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        job.tools.run(args, env=env, log=output)
    except CommandFailed as error:
        reason = next(iter(CULPRIT.findall(error.tail)), "") or str(error)
        raise ToolError(f"The packages could not be installed: {reason.removeprefix('E: ').rstrip('.')}.",
                        lines=error.lines) from error  # fmt: skip


def _remove(repository: Path) -> None:
    for path in repository.iterdir():
        path.unlink()
    repository.rmdir()


def _check_installed(job: Job, lock: Lock) -> None:
    """The lock is a promise: refuse a tree that differs from it."""
    form = "${Package} ${Version} ${Architecture}\n"
    shown = job.tools.read(["dpkg-query", f"--admindir={job.folder}/tree/var/lib/dpkg", "-W", f"-f={form}"])
    has = set(shown.splitlines())
    wanted = {f"{each.name} {each.version} {each.architecture}" for each in lock.packages}
    if has != wanted:
        raise ToolError(f"The tree does not hold what the lock says: {', '.join(sorted(has ^ wanted)[:10])}.",
                        kind=Kind.INTERNAL)  # fmt: skip


STAGE = Stage(name="tree", phase="rootfs", make=make, needs=("gather",), options=options,
              schema=takes("documentation"))  # fmt: skip
