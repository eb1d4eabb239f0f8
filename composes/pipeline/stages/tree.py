"""The packages of the lock, installed: exactly those and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable

from chroots.engine.archives.fetch import Store
from composes.pipeline.graph import Facts, Stage
from composes.pipeline.job import Job, Order
from composes.pipeline.packages import lock as locks
from composes.pipeline.packages import steps
from composes.pipeline.packages.lock import Lock
from composes.pipeline.stages.gather import fetch
from composes.pipeline.store import remove_tree
from composes.pipeline.system import installing
from composes.pipeline.treefiles.options import takes
from debatomic.tools.errors import CommandFailed, Kind, ToolError
from debatomic.tools.files import link_or_copy

ONE_DIGEST = [word for name in ("MD5", "SHA1", "SHA512") for word in ("-o", f"APT::FTPArchive::{name}=false")]
STEP = re.compile(rb"^(Selecting previously|Unpacking|Setting up|Preparing to unpack) ", re.MULTILINE)
STEPS_PER_PACKAGE = 4
CULPRIT = re.compile(r"^(?:dpkg: error processing|E: |dpkg: error: ).*$", re.MULTILINE)


def options(order: Order) -> Facts:
    return order.tree.part("documentation")


def make(job: Job) -> Facts:
    lock = locks.read(job.input("gather", "lock.json"))
    fetch(job, lock)
    job.log.line(f"Installing {len(lock.packages)} packages.")
    wanted = installing.orders(job, lock, steps.steps(_index(job, lock)))
    try:
        with installing.installed(job, wanted, _progress(job, len(lock.packages))) as root:
            installing.copied(root, job.folder / "tree")
    except CommandFailed as error:
        reason = next(iter(CULPRIT.findall(error.tail)), "") or str(error)
        raise ToolError(f"The packages could not be installed: {reason.removeprefix('E: ').rstrip('.')}.",
                        lines=error.lines) from error  # fmt: skip
    _check_installed(job, lock)
    return {"date": lock.date}


def _index(job: Job, lock: Lock) -> str:
    """The Packages list of exactly these files, for apt in a folder beside them."""
    store, folder = Store(job.order.state.files), job.folder / "repository"
    folder.mkdir()
    for package in lock.packages:
        link_or_copy(store.path(package.sha256), folder / package.file_name)
    text = job.tools.run(["apt-ftparchive", *ONE_DIGEST, "packages", folder], capture=True, log=None).stdout
    remove_tree(folder)
    return text.replace(f"Filename: {folder}/", "Filename: ./")


def _progress(job: Job, packages: int) -> Callable[[bytes], None]:
    seen, total = 0, packages * STEPS_PER_PACKAGE

    def output(chunk: bytes) -> None:
        nonlocal seen
        job.log(chunk)
        if found := len(STEP.findall(chunk)):
            seen += found
            job.progress.report(0.6 * min(1.0, seen / total), "installing packages")

    return output


def _check_installed(job: Job, lock: Lock) -> None:
    """The lock is a promise: refuse a tree that differs from it."""
    form = "${Package} ${Version} ${Architecture}\n"
    shown = job.tools.read(["dpkg-query", f"--admindir={job.folder}/tree/var/lib/dpkg", "-W", f"-f={form}"])
    has = set(shown.splitlines())
    wanted = {f"{each.name} {each.version} {each.architecture}" for each in lock.packages}
    if has != wanted:
        raise ToolError(f"The tree does not hold what the lock says: {', '.join(sorted(has ^ wanted)[:10])}.",
                        kind=Kind.INTERNAL)  # fmt: skip


STAGE = Stage(name="tree", phase="rootfs", make=make, needs=("gather",), options=options, revision=2,
              schema=takes("documentation"))  # fmt: skip
