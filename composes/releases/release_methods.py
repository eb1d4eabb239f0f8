"""What the hub's own host does to the repository that is served: moves of channels, pruning, the signing key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings

from builds.keys import path as keys_path
from composes.models import Move
from composes.releases import releasing, retention
from debatomic.tools.errors import InputError
from hosts.models import Task
from hosts.registry import Job, Keeper, Method, Outcome, program, register, register_keeper, register_round


def repository_command(job: Job, verb: str, *args: str | Path) -> list[str]:
    """A verb of the pipeline on the repository, signed with this hub's keys."""
    mirror = ["--mirror", settings.MIRROR] if settings.MIRROR else []
    return program(
        "composes.pipeline", verb, *args, "--to", settings.OSTREE / "repo", "--signing-home", settings.SIGNING,
        "--state", settings.STATE, "--output", job.output, *mirror,
    )  # fmt: skip


def said(job: Job) -> dict[str, Any]:
    """The program's `result.json`."""
    content: dict[str, Any] = json.loads((job.output / "result.json").read_text())
    return content


def move_command(job: Job) -> list[str]:
    refs, expected = job.request["refs"], job.request["expected"]
    known = [f"{ref}={commit}" for ref, commit in expected.items() if ref in refs]
    wanted = [f"{ref}={commit}" for ref, commit in refs.items()]
    return repository_command(job, "move", *wanted, *(["--expect", *known] if known else []))


def move_outcome(job: Job) -> Outcome:
    return Outcome(result={"moved": said(job)["moved"]})


def prune_command(job: Job) -> list[str]:
    return repository_command(job, "prune", "--let-go", *job.request["names"])


def prune_outcome(job: Job) -> Outcome:
    return Outcome(result={"let_go": said(job)["let_go"]})


def key_command(state: Path) -> list[str]:
    """The first signing key, and the public ones where machines get them; nothing on a host that is not the hub's."""
    if settings.IS_REMOTE_BUILDER:
        return ["true"]
    return program("composes.pipeline", "signing-key", "--home", settings.SIGNING, "--public", keys_path())


def kept_moves() -> Any:
    """The tasks of the journal: retention leaves them alone."""
    return Move.objects.order_by().values("task_id")


def moved(task: Task) -> None:
    releasing.moved(task)


def move_again(task: Task) -> None:
    """Raises InputError where the journal has gone on since."""
    move = Move.objects.filter(task=task).first()
    if move is None or move.channel.moves.filter(pk__gt=move.pk).exists():
        raise InputError("The release channel was asked for something else since.", hint="Promote or withdraw anew.")


def register_release_methods() -> None:
    register_keeper(Keeper(kept_moves))
    register_round(retention.tend)
    register(Method(name="move", weight=0.5, command=move_command, outcome=move_outcome, changed=moved, needs_hub=True,
                    at_start=key_command, again=move_again, right="composes.publish"))  # fmt: skip
    register(Method(name="prune", weight=0.5, command=prune_command, outcome=prune_outcome, needs_hub=True,
                    right="tasks.retry"))  # fmt: skip
