"""What the hub's own host does for repositories: make a snapshot, sign it, switch to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import zstandard
from django.conf import settings

from builds.tagging import repositories
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


def kept_snapshots() -> Any:
    """The tasks of snapshots: retention leaves them alone."""
    return Snapshot.objects.order_by().values("task_id")


def kept_holdings() -> Any:
    """The tasks of builds that a repository has, or that one of its snapshots still has."""
    return Holding.objects.order_by().values("build__task_id")


def register_repository_methods() -> None:
    register_keeper(Keeper(kept_snapshots))
    register_keeper(Keeper(kept_holdings))
    register_contents(repositories.needed)
    register_round(repositories.tend)
    register(Method(name="repository", weight=0.1, command=change_command, outcome=change_outcome,
                    changed=repositories.changed, needs_hub=True))  # fmt: skip
