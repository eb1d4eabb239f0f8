"""What the hub's own host does for repositories: make a snapshot, sign it, switch to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zstandard
from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from builds.tagging import pruning, repositories
from builds.tagging.repository_models import Holding, Snapshot
from debatomic.tools.errors import InfrastructureError
from debatomic.tools.files import write_json
from hosts.kept import store
from hosts.registry import (
    Job,
    Keeper,
    Method,
    Outcome,
    program,
    register,
    register_contents,
    register_keeper,
    register_round,
)


def change_command(job: Job) -> list[str]:
    """The change as it was submitted, and where the hub has what the pool lacks."""
    folder: Path = settings.REPOSITORIES / job.request["repository"]
    change = job.folder / "change.json.zst"
    try:
        store.copy_to(job.request["change"], change)
        said = json.loads(zstandard.ZstdDecompressor().stream_reader(change.read_bytes()).read())
        places = {file["sha256"]: str(store.nearby(file["sha256"], job.folder / f"file-{number}"))
                  for number, file in enumerate(said["files"]) if not (folder / file["path"]).exists()}  # fmt: skip
    except FileNotFoundError as error:
        raise InfrastructureError(f"What the repository needs is not in the store: {error}.") from error
    write_json(job.folder / "places.json", places)
    return program(
        "builds.repository", "change", folder, "--change", change, "--places", job.folder / "places.json",
        "--signing-home", settings.SIGNING, "--output", job.output,
    )  # fmt: skip


def change_outcome(job: Job) -> Outcome:
    """What the snapshot has, and what took how long."""
    result: dict[str, Any] = json.loads((job.output / "result.json").read_text())
    return Outcome(result={name: value for name, value in result.items() if name != "ok"})


def prune_command(job: Job) -> list[str]:
    """Remove snapshots, and what only they had."""
    paths = job.folder / "paths.json"
    try:
        store.copy_to(job.request["pool"], paths)
    except FileNotFoundError as error:
        raise InfrastructureError(f"The list of files to remove is not in the store: {error}.") from error
    return program("builds.repository", "prune", settings.REPOSITORIES / job.request["repository"],
                   *job.request["snapshots"], "--pool", paths, "--output", job.output)  # fmt: skip


def prune_outcome(job: Job) -> Outcome:
    result: dict[str, Any] = json.loads((job.output / "result.json").read_text())
    return Outcome(result={"removed": result["removed"]})


def kept_snapshots() -> Any:
    """The tasks of snapshots that are there, or that tell since when a package is: retention leaves them alone."""
    holdings = Holding.objects.filter(Q(first=OuterRef("pk")) | Q(end=OuterRef("pk")))
    return Snapshot.objects.filter(Q(removed_at=None) | Exists(holdings)).order_by().values("task_id")


def forget_snapshots(tasks: Sequence[int]) -> None:
    Snapshot.objects.filter(task__in=tasks).delete()


def kept_holdings() -> Any:
    """The tasks of builds that a repository has, or that one of its snapshots still has."""
    return Holding.objects.order_by().values("build__task_id")


def register_repository_methods() -> None:
    register_keeper(Keeper(kept_snapshots, forget_tasks=forget_snapshots))
    register_keeper(Keeper(kept_holdings))
    register_contents(repositories.needed)
    register_round(repositories.tend)
    register(Method(name="repository-prune", weight=0.1, command=prune_command, outcome=prune_outcome,
                    changed=pruning.changed, again=pruning.again, needs_hub=True,
                    right="tags.edit"))  # fmt: skip
    register(Method(name="repository", weight=0.1, command=change_command, outcome=change_outcome,
                    changed=repositories.changed, again=repositories.again, needs_hub=True,
                    right="tags.edit"))  # fmt: skip
