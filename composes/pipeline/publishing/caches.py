"""Objects of earlier commits, kept so that only what is new is read, compressed and copied.

Three repositories below `<state>/composes/ostree` hold the same commits: `build` (bare-user, what trees are committed
to), `archive` (compressed, what is published) and `deployed` (bare, what disks are made of: shared by hard links).
Nothing of them is synced to the disk, so they begin anew with each start of the host; and when they grow too large.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chroots.engine.state import locked
from composes.pipeline.job import Job
from composes.pipeline.publishing.ostree import Repo
from composes.pipeline.store import bytes_below, remove_tree

BUILD, ARCHIVE, DEPLOYED = "build", "archive", "deployed"
BYTES = 4 << 30  # of each
BOOT = Path("/proc/sys/kernel/random/boot_id")


@contextmanager
def opened(job: Job) -> Iterator[tuple[Repo, Repo]]:
    """The caches `build` and `archive`, for this process alone."""
    folder = _folder(job)
    with locked(folder / "lock"):
        _trim(folder)
        yield (Repo(job.tools, folder / BUILD).have("bare-user"), Repo(job.tools, folder / ARCHIVE).have("archive"))


def give(job: Job, commit: str, target: Repo) -> None:
    """Give `target`, a bare repository, the objects of a commit where the caches have it."""
    folder = _folder(job)
    with locked(folder / "lock"):
        build = Repo(job.tools, folder / BUILD)
        if _is_of_this_boot(folder) and build.has(commit):
            deployed = Repo(job.tools, folder / DEPLOYED).have("bare")
            deployed.path.chmod(0o700)  # programs that run as root lie there
            deployed.pull(build.path, commit, synced=False)
            target.pull(deployed.path, commit, synced=False)


def _folder(job: Job) -> Path:
    folder = job.order.state.root / "composes/ostree"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _trim(folder: Path) -> None:
    current = _is_of_this_boot(folder)
    for name in (BUILD, ARCHIVE, DEPLOYED):
        if (folder / name).exists() and (not current or bytes_below(folder / name) > BYTES):
            remove_tree(folder / name)
    (folder / "boot").write_text(BOOT.read_text())


def _is_of_this_boot(folder: Path) -> bool:
    of = folder / "boot"
    return of.exists() and of.read_text() == BOOT.read_text()
