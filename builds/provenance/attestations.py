"""Completed builds get their signed statements: made here, signed by the hub's own host, where the keys are."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence, Set
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from builds.models import Build
from builds.provenance.attestation_models import Attestation
from builds.provenance.buildinfo import installed
from builds.provenance.origin import text_of
from builds.provenance.statement import statement
from hosts import hub
from hosts.kept import store
from hosts.models import LIVE, Artifact, Channel, State, Task
from hosts.registry import (
    Job,
    Keeper,
    KeptFile,
    Method,
    Outcome,
    program,
    register,
    register_contents,
    register_keeper,
    register_round,
)

METHOD = "attest"
AT_ONCE = 100
LIMITS = {"time_limit": 3600, "idle_limit": 3600}  # seconds
PAUSE = timedelta(minutes=10)  # after a failure
MEDIA_TYPE = "application/vnd.dsse.envelope+json"
ENDING = ".intoto.json"


def note(task: Task) -> None:
    """A task of a build is completed: its statement is to be signed."""
    Attestation.objects.get_or_create(task=task)


def tend() -> None:
    """Have what waits signed, one task at a time; called at every tick, by any number of processes."""
    waiting = list(Attestation.objects.filter(waits=True).order_by("pk").values_list("pk", flat=True)[:AT_ONCE])
    if not waiting or not _is_free():
        return
    statements = _statements(waiting)
    title = f"sign {len(statements)} attestation{'' if len(statements) == 1 else 's'}"
    content = json.dumps(statements).encode()
    sha256, _ = store.add(io.BytesIO(content))
    with transaction.atomic():
        channel = Channel.objects.select_for_update().get(name="default")  # one process at a time
        if _is_free():
            hub.submit(METHOD, title, by=None, limits=LIMITS, priority=0,
                       channel=channel, request={"statements": sha256})  # fmt: skip


def _is_free() -> bool:
    """Whether none is being signed, and the last failure is long enough ago."""
    last = Task.objects.filter(method=METHOD).order_by("-pk").only("state", "finished_at").first()
    if last is None or last.state == State.COMPLETED:
        return True
    return last.state not in LIVE and bool(last.finished_at and timezone.now() - last.finished_at > PAUSE)


def _statements(waiting: Sequence[int]) -> dict[str, Any]:
    """By the name of the file that each becomes."""
    tasks = Task.objects.filter(pk__in=waiting).select_related("host").prefetch_related("artifacts")
    builds = {build.task_id: build for build in Build.objects.filter(task__in=[task.parent_id for task in tasks])
              .select_related("target", "created_by")}  # fmt: skip
    return {_name(builds[task.parent_id], task): _of(builds[task.parent_id], task)
            for task in tasks if task.parent_id in builds}  # fmt: skip


def _of(build: Build, task: Task) -> dict[str, Any]:
    files = sorted(task.artifacts.all(), key=lambda each: each.name)
    buildinfo = next((each for each in files if each.kind == Artifact.Kind.BUILDINFO), None)
    return statement(build, task, files, installed(text_of(buildinfo)))


def _name(build: Build, task: Task) -> str:
    return f"{build.source}_{build.version.rpartition(':')[2]}_{task.architecture or 'all'}.task-{task.pk}{ENDING}"


# On the hub's own host


def attest_command(job: Job) -> list[str]:
    """The statements as they were submitted."""
    path = job.folder / "statements.json"
    job.fetch(job.request["statements"], path)
    return program("builds.attesting", path, "--signing-home", settings.SIGNING, "--output", job.output)


def attest_outcome(job: Job) -> Outcome:
    """The envelopes are kept."""
    result: dict[str, Any] = json.loads((job.output / "result.json").read_text())
    files = tuple(_kept(job.output / name) for name in result["envelopes"])
    return Outcome(result={"keys": result["keys"], "number": len(files)}, files=files)


def _kept(path: Path) -> KeptFile:
    return KeptFile(path=path, name=path.name, kind=Artifact.Kind.METADATA, media_type=MEDIA_TYPE)


# What it did


def attest_changed(task: Task) -> None:
    """Its envelopes belong to their builds."""
    if task.state != State.COMPLETED:
        return
    for artifact in task.artifacts.filter(name__endswith=ENDING):
        number = artifact.name.removesuffix(ENDING).rpartition(".task-")[2]
        Attestation.objects.filter(task=int(number), envelope=None).update(
            envelope=artifact, keys=task.result.get("keys", []), waits=False
        )


def statements_needed(contents: Set[str]) -> set[str]:
    """Those of these SHA-256 that a task still has to sign."""
    live = Task.objects.filter(method=METHOD, state__in=LIVE).values_list("request", flat=True)
    return {request["statements"] for request in live} & contents


def kept_envelopes() -> Any:
    """The tasks whose envelopes belong to a build: retention leaves them alone."""
    return Attestation.objects.filter(envelope__task__isnull=False).order_by().values("envelope__task_id")


def forget_attestations(tasks: Sequence[int]) -> None:
    Attestation.objects.filter(task__parent__in=tasks).delete()


def register_attestations() -> None:
    register_round(tend)
    register_contents(statements_needed)
    register_keeper(Keeper(kept_envelopes, forget_tasks=forget_attestations))
    register(Method(name=METHOD, weight=0.1, command=attest_command, outcome=attest_outcome,
                    changed=attest_changed, needs_hub=True))  # fmt: skip
