"""What a new compose's upgrade gate begins with: disk and result of the one published before it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from debatomic.tools.errors import InputError
from hosts.models import Artifact
from hosts.registry import Job

if TYPE_CHECKING:
    from composes.models import Compose

DISKS = ("disk.qcow2", "disk.raw.zst")  # the smaller one first


def before(compose: Compose, architecture: str) -> dict[str, Any]:
    """The files a host needs, for the request; empty where nothing was published before."""
    previous = compose.previous
    if previous is None:
        return {}
    made = Artifact.objects.filter(task__parent=previous.task_id, task__architecture=architecture)
    kept = dict(made.filter(name__in=(*DISKS, "result.json")).values_list("name", "sha256"))
    disk = next((name for name in DISKS if name in kept), None)
    if disk is None or "result.json" not in kept:
        return {}
    files = [{"name": name, "sha256": kept[name]} for name in (disk, "result.json")]
    return {"identity": previous.identity, "files": files}


def options(job: Job, *, disk: bool = True) -> list[str | Path]:
    """The pipeline's options for it: the files are fetched first. Without them the gate says that it was skipped.

    Without `disk` nothing is upgraded yet: what is known of that compose is enough.
    """
    previous = job.request.get("previous")
    if not previous:
        return []
    folder = job.folder / "previous" / previous["identity"]
    folder.mkdir(parents=True)
    try:
        for file in previous["files"]:
            if not disk and file["name"] in DISKS:
                continue
            job.fetch(file["sha256"], folder / file["name"])
    except InputError:  # retention was faster
        return []
    return ["--previous", folder]
