"""Where the attempts of this host work, and the notes by which a dead one is known: one folder and one note each."""

from __future__ import annotations

import functools
import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from debatomic.tools.errors import ToolError
from debatomic.tools.files import whole
from debatomic.tools.run import run
from hosts import registry
from hosts.registry import Job

logger = logging.getLogger(__name__)
AFTER_SECONDS = 60


def born(pid: int) -> str:
    """When this process began, which tells it from a later one of the same number; empty if there is none.

    In ticks of this boot of the machine: a time of day moves when somebody sets the clock.
    """
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if state in "ZX" else f"{boot()}:{fields[18]}"


@functools.cache
def boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def work_folder() -> Path:
    return Path(settings.STATE) / "tasks"


def notes_folder() -> Path:
    return Path(settings.STATE) / "attempts"


@dataclass(frozen=True, kw_only=True)
class Note:
    """Who runs an attempt, and what must be cleaned up should that process die. Written before the attempt starts."""

    claim: str
    pid: int
    born: str
    cluster: str = ""
    job: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return notes_folder() / f"{self.claim}.json"

    @property
    def spool(self) -> Path:
        """The attempt's whole log on this host: what the hub has not yet is sent from here."""
        return notes_folder() / f"{self.claim}.log"

    @property
    def is_alive(self) -> bool:
        return self.born == born(self.pid) != ""

    def write(self) -> None:
        """Have it outlast this process. A crash of the machine ends all that it would tell of."""
        with whole(self.path, lasting=False) as file:
            file.write(json.dumps(vars(self)).encode())

    def forget(self) -> None:
        self.spool.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def clean(self) -> None:
        """Leave nothing of the attempt on this host but its note and log."""
        if self.job:
            clean(Job(**{**self.job, "folder": folder_of(self.job["task"], self.job["attempt"])}))


def notes() -> Iterator[Note]:
    """The attempts that run on this host or died here."""
    for path in sorted(notes_folder().glob("*.json")):
        with suppress(FileNotFoundError, ValueError, TypeError):  # it ended meanwhile
            yield Note(**json.loads(path.read_text()))


def note_of_mine(claim: str, cluster: str) -> Note:
    return Note(claim=claim, pid=os.getpid(), born=born(os.getpid()), cluster=cluster)


def folder_of(task: int, attempt: int) -> Path:
    return work_folder() / f"task-{task}-{attempt}"


def plain(job: Job) -> dict[str, Any]:
    """A job as it came from the hub, to be written down."""
    return {name: value for name, value in vars(job).items() if name not in ("folder", "fetch")}


def clean(job: Job) -> None:
    """Run what the method runs after a kill, and remove the work folder. Never raises."""
    method = registry.find(job.method)
    if method and method.after:
        try:
            run(method.after(job), check=False, time_limit=AFTER_SECONDS, cwd=Path(settings.BASE_DIR))
        except (ToolError, OSError):
            logger.exception("Cleaning up after task %s did not work", job.task)
    remove(job.folder)


def remove(folder: Path) -> None:
    """Remove a work folder; what cannot be removed is logged and tried again at the next start."""
    shutil.rmtree(folder, onerror=_log_unless_gone)


def _log_unless_gone(function: object, path: str, error: Any) -> None:
    if not isinstance(error[1], FileNotFoundError):
        logger.warning("%s cannot be removed: %s", path, error[1])


def remove_strays() -> None:
    """Remove the work folders that no note knows, and notes that cannot be read; only while nothing runs here."""
    there = list(notes())
    for path in notes_folder().glob("*"):
        if path.stem not in {note.claim for note in there}:
            path.unlink()
    known = {folder_of(note.job["task"], note.job["attempt"]) for note in there if note.job}
    if work_folder().is_dir():
        for folder in work_folder().iterdir():
            if folder not in known:
                remove(folder)
