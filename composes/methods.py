"""What hosts do for composes: a parent; one task per architecture; publishing last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from composes.definitions import write_files
from composes.models import Compose, Deliverable
from composes.orders import COMPOSE
from debatomic.tools.errors import InputError
from hosts.kept import store
from hosts.models import Artifact, Event, State, Task
from hosts.registry import About, Job, Keeper, KeptFile, Method, Outcome, program, register, register_keeper
from hosts.schedule.orders import register as register_order

KINDS = {
    "commit": (Artifact.Kind.TREE, "application/x-tar"),
    "repository": (Artifact.Kind.TREE, "application/x-tar"),
    "serial-log": (Artifact.Kind.PROOF, "text/plain"),
    "screenshot": (Artifact.Kind.PROOF, "image/png"),
    "lock": (Artifact.Kind.METADATA, "application/json"),
    "contents": (Artifact.Kind.METADATA, "application/gzip"),
    "objects": (Artifact.Kind.METADATA, "application/gzip"),
    "result": (Artifact.Kind.METADATA, "application/json"),
}


def compose_command(job: Job) -> list[str]:
    """The pipeline's command for one architecture, on the definition as it was frozen at submit."""
    request = job.request
    definition = job.folder / "definition"
    write_files(request["files"], definition)
    mirror = ["--mirror", settings.MIRROR] if settings.MIRROR else []
    return program(
        "composes.pipeline", "run", definition / request["main"], "--variant", request["variant"],
        "--architecture", job.architecture, "--output", job.output, "--state", settings.STATE,
        "--compose-version", str(request["respin"]), "--pack", *mirror,
    )  # fmt: skip


def compose_outcome(job: Job) -> Outcome:
    """Keep what the pipeline delivered; the task's result keeps what pages show."""
    result: dict[str, Any] = json.loads((job.output / "result.json").read_text())
    shown = ("commit", "content_checksum", "version", "ref", "kernel", "lint", "boot", "deliverables", "stages")
    files = [_kept(job.output, each) for each in result["deliverables"]]
    files.append(_kept(job.output, {"path": "result.json", "kind": "result"}))
    return Outcome(result={name: result[name] for name in shown if name in result}, files=tuple(files))


def _kept(output: Path, deliverable: dict[str, Any]) -> KeptFile:
    path = output / deliverable["path"]
    kind, media_type = KINDS.get(deliverable["kind"], (Artifact.Kind.IMAGE, "application/octet-stream"))
    return KeptFile(path=path, name=path.name, kind=kind, media_type=media_type)


def publish_command(job: Job) -> list[str]:
    """Bring the commit into the served repository; only on a host that shares the hub's folder."""
    tree = job.request.get("tree")
    if not tree:
        raise InputError("This compose made no OSTree repository to publish.")
    return program(
        "composes.pipeline", "publish", "--from", store.path(tree), "--to", settings.OSTREE / "repo",
        "--ref", job.request["ref"], "--commit", job.request["commit"], "--state", settings.STATE,
        *(["--mirror", settings.MIRROR] if settings.MIRROR else []),
    )  # fmt: skip


def publish_outcome(job: Job) -> Outcome:
    return Outcome(result={"ref": job.request["ref"], "commit": job.request["commit"]})


def compose_about(request: Mapping[str, Any]) -> About:
    return About(package=request.get("variant", ""), target=request.get("definition", ""))


def sweep(job: Job) -> list[str]:
    return program("chroots.engine", "sweep", "--state", settings.STATE)


def compose_changed(task: Task) -> None:
    """Record what an architecture delivered, and tell pages of the compose."""
    compose = Compose.objects.filter(task=task.parent_id or task.pk).first()
    if compose is None:
        return
    if task.method == "compose-arch" and task.state == State.COMPLETED:
        _record(compose, task)
    topics = ["composes", f"compose:{compose.pk}", f"task:{compose.task_id}"]
    Event.objects.create(kind="compose", key=str(compose.pk), what=task.state, topics=topics)


def _record(compose: Compose, task: Task) -> None:
    kept = {artifact.name: artifact for artifact in task.artifacts.all()}
    Compose.objects.filter(pk=compose.pk).update(version=task.result["version"])
    for each in task.result.get("deliverables", ()):
        Deliverable.objects.update_or_create(
            compose=compose, architecture=task.architecture, kind=each["kind"], name=each["name"],
            defaults={"artifact": kept.get(Path(each["path"]).name), "facts": each.get("facts", {})},
        )  # fmt: skip
    tree = next((artifact for artifact in kept.values() if artifact.kind == Artifact.Kind.TREE), None)
    waiting = {"ref": task.result["ref"], "commit": task.result["commit"], "tree": tree.sha256 if tree else ""}
    for publish in task.dependants.filter(method="publish", state=State.FREE):
        Task.objects.filter(pk=publish.pk).update(request={**publish.request, **waiting})


def kept_composes() -> Any:
    """The tasks of all composes: retention leaves them alone."""
    return Compose.objects.order_by().values("task_id")


def register_methods() -> None:
    register_order(COMPOSE)
    register_keeper(Keeper(kept_composes))
    register(Method(name="compose", changed=compose_changed))
    register(
        Method(
            name="compose-arch",
            weight=2.0,
            command=compose_command,
            outcome=compose_outcome,
            after=sweep,
            changed=compose_changed,
            about=compose_about,
        )
    )
    register(
        Method(
            name="publish",
            weight=0.5,
            command=publish_command,
            outcome=publish_outcome,
            changed=compose_changed,
            needs_hub=True,
        )
    )
