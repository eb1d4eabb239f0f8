"""What hosts do for composes: a parent; one task per architecture; publishing last."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from composes import fanout, gates, upgrades
from composes.comparing import locked
from composes.defining import attachments, git_origins
from composes.defining.definitions import write_files
from composes.gates import MADE
from composes.models import Compose, Deliverable
from composes.orders import COMPOSE, SYNC
from composes.releases import contained, metadata, releasing, signed
from composes.releases.release_methods import register_release_methods, repository_command, said
from debatomic.tools.errors import InputError, ToolError
from hosts.kept import store
from hosts.models import Artifact, Event, State, Task
from hosts.registry import (
    About,
    Job,
    Keeper,
    KeptFile,
    Method,
    Outcome,
    program,
    register,
    register_contents,
    register_keeper,
    register_kept_texts,
)
from hosts.schedule.orders import register as register_order

KINDS = {
    "commit": (Artifact.Kind.TREE, "application/x-tar"),
    "repository": (Artifact.Kind.TREE, "application/x-tar"),
    "serial-log": (Artifact.Kind.PROOF, "text/plain"),
    "screenshot": (Artifact.Kind.PROOF, "image/png"),
    "oci": (Artifact.Kind.IMAGE, "application/x-tar"),
    "oci-manifest": (Artifact.Kind.METADATA, "application/vnd.oci.image.manifest.v1+json"),
    "tar": (Artifact.Kind.IMAGE, "application/zstd"),
    "iso": (Artifact.Kind.IMAGE, "application/vnd.efi.iso"),
    "spdx": (Artifact.Kind.METADATA, "application/spdx+json"),
    "cyclonedx": (Artifact.Kind.METADATA, "application/vnd.cyclonedx+json"),
    "vulnerabilities": (Artifact.Kind.METADATA, "application/json"),
    "lock": (Artifact.Kind.METADATA, "application/json"),
    "contents": (Artifact.Kind.METADATA, "application/gzip"),
    "objects": (Artifact.Kind.METADATA, "application/gzip"),
    "result": (Artifact.Kind.METADATA, "application/json"),
    "stage": (Artifact.Kind.OTHER, "application/zstd"),
}


def compose_command(job: Job) -> list[str]:
    """The pipeline's command for one architecture's tree, or one deliverable, of the definition frozen at submit."""
    request = job.request
    definition = job.folder / "definition"
    write_files(request["files"], definition)
    attachments.lay_out(job, definition)
    mirror = ["--mirror", settings.MIRROR] if settings.MIRROR else []
    keys = job.folder / "trusted-keys.asc"
    if request.get("trusted_keys"):
        keys.write_text(request["trusted_keys"])
        mirror += ["--trusted-keys", str(keys)]
    return program(
        "composes.pipeline", "run", definition / request["main"], "--variant", request["variant"],
        "--architecture", job.architecture, "--output", job.output, "--state", settings.STATE,
        "--compose-version", str(request["respin"]), "--pack", *fanout.options(job), *mirror,
        *upgrades.options(job, disk="part" in request), "--security-tracker", settings.SECURITY_TRACKER,
        "--snapshots", settings.SNAPSHOTS, *_previous_container(job),
        "--store-gib", str(settings.COMPOSE_STORE_GIB), "--store-days", str(settings.COMPOSE_STORE_DAYS),
    )  # fmt: skip


def _previous_container(job: Job) -> list[str]:
    """The manifest whose layers are kept to; a compose does without where the hub has it no more."""
    path = job.folder / "previous-container.json"
    try:
        if "part" in job.request and (sha256 := job.request.get("previous_container", "")):
            job.fetch(sha256, path)
    except ToolError:
        return []
    return ["--previous-container", os.fspath(path)] if path.exists() else []


def compose_outcome(job: Job) -> Outcome:
    """Keep what the pipeline delivered; the task's result keeps what pages show."""
    result: dict[str, Any] = json.loads((job.output / "result.json").read_text())
    shown = ("commit", "content_checksum", "version", "ref", "channels", "refs", "kernel", "lint", "boot", "container",
             "upgrade", "gates", "deliverables", "stages", "parts", "given", "shared")  # fmt: skip
    files = [_kept(job.output, each) for each in result["deliverables"]]
    files += [_kept(job.output, {"path": path, "kind": "stage"}) for path in result.get("shared", {}).values()]
    part = job.request.get("part")
    files.append(_kept(job.output, {"path": "result.json", "kind": "result"}, f"result-{part}.json" if part else ""))
    return Outcome(result={name: result[name] for name in shown if name in result}, files=tuple(files))


def _kept(output: Path, deliverable: dict[str, Any], name: str = "") -> KeptFile:
    path = output / deliverable["path"]
    kind, media_type = KINDS.get(deliverable["kind"], (Artifact.Kind.IMAGE, "application/octet-stream"))
    return KeptFile(path=path, name=name or path.name, kind=kind, media_type=media_type)


def publish_command(job: Job) -> list[str]:
    """Bring the commit into the served repository, if the gates let it; only on a host that shares the hub's folder."""
    gates.refuse_blocked(job.request)
    tree = job.request.get("tree")
    if not tree:
        raise InputError("This compose made no OSTree repository to publish.")
    try:
        packed = store.nearby(tree, job.folder / "tree.tar")
    except FileNotFoundError:
        raise InputError("The OSTree repository of this compose is not kept any more.") from None
    return repository_command(
        job, "publish", "--from", packed, "--ref", job.request["ref"], "--commit", job.request["commit"],
        "--keep-as", f"{job.request['identity']}/{job.request.get('architecture', 'any')}",
        "--order", str(job.request.get("order", 0)), *signed.options(job),
    )  # fmt: skip


def publish_outcome(job: Job) -> Outcome:
    """Ref and commit, what was there before, who signed it, and how large the update is."""
    result = {name: value for name, value in said(job).items() if name not in ("ok", "repository")}
    return Outcome(result=result, files=signed.files(job, result.get("attested", [])))


def compose_about(request: Mapping[str, Any]) -> About:
    return About(package=request.get("variant", ""), target=request.get("definition", ""))


def compose_caches(request: Mapping[str, Any]) -> tuple[str, ...]:
    """A host that made a variant before has most of what its next compose takes."""
    return (f"compose {request.get('definition', '')} {request.get('variant', '')}",)


def sweep(job: Job) -> list[str]:
    return program("chroots.engine", "sweep", "--state", settings.STATE)


def compose_changed(task: Task) -> None:
    """Record what an architecture delivered, and tell pages of the compose."""
    compose = Compose.objects.filter(task=task.parent_id or task.pk).first()
    if compose is None:
        return
    if task.state == State.COMPLETED:
        _completed(compose, task)
    elif task.state == State.FREE and task.method == "publish":  # begun anew: the gates are asked again
        fanout.hold_back(compose)
        _name_what_is_signed(compose)
    topics = ["composes", f"compose:{compose.pk}", f"task:{compose.task_id}"]
    Event.objects.create(kind="compose", key=str(compose.pk), what=task.state, topics=topics)


def _completed(compose: Compose, task: Task) -> None:
    if task.method in MADE:
        _record(compose, task)
    elif task.method == "publish":
        signed.record(compose, task)
        releasing.published(compose, task)
    if fanout.note_incomplete(compose):
        metadata.keep(compose)


def _record(compose: Compose, task: Task) -> None:
    kept = {artifact.name: artifact for artifact in task.artifacts.all()}
    for each in task.result.get("deliverables", ()):
        Deliverable.objects.update_or_create(
            compose=compose, architecture=task.architecture, kind=each["kind"], name=each["name"],
            defaults={"artifact": kept.get(Path(each["path"]).name), "facts": each.get("facts", {})},
        )  # fmt: skip
    if task.method == "compose-arch":
        Compose.objects.filter(pk=compose.pk).update(version=task.result["version"])
        _name_what_is_published(task, kept)
        fanout.spread(compose, task)
        contained.note(compose)
    fanout.hold_back(compose)
    _name_what_is_signed(Compose.objects.get(pk=compose.pk))


def _name_what_is_signed(compose: Compose) -> None:
    """All that was made until publishing begins."""
    for publish in Task.objects.filter(parent=compose.task_id, method="publish", state=State.FREE):
        if architecture := publish.request.get("architecture"):
            what = {"signed": signed.wanted(compose, architecture, compose.version)}
            Task.objects.filter(pk=publish.pk).update(request={**publish.request, **what})


def _name_what_is_published(task: Task, kept: dict[str, Artifact]) -> None:
    tree = next((artifact for artifact in kept.values() if artifact.kind == Artifact.Kind.TREE), None)
    waiting = {
        "ref": task.result["ref"],
        "commit": task.result["commit"],
        "tree": tree.sha256 if tree else "",
        "architecture": task.architecture,
    }
    mine = {"method": "publish", "state": State.FREE, "request__architecture": task.architecture}
    for publish in task.dependants.filter(**mine):
        Task.objects.filter(pk=publish.pk).update(request={**publish.request, **waiting})


def kept_composes() -> Any:
    """The tasks of all composes: retention leaves them alone."""
    return Compose.objects.order_by().values("task_id")


def register_methods() -> None:
    register_order(COMPOSE)
    register_release_methods()
    register_order(SYNC)
    register_keeper(Keeper(kept_composes))
    register_kept_texts(locked.unnoted)
    contained.register_contained()
    register_contents(attachments.contents)
    register(Method(name="compose", changed=compose_changed, others_go_on=True, right="composes.submit"))
    register(
        Method(
            name=git_origins.METHOD,
            weight=0.1,
            command=git_origins.command,
            outcome=git_origins.outcome,
            changed=git_origins.changed,
            right="composes.define",
        )
    )
    for name, weight in zip(MADE, (2.0, 1.0), strict=True):
        register(Method(name=name, weight=weight, command=compose_command, outcome=compose_outcome, after=sweep,
                        changed=compose_changed, about=compose_about, caches=compose_caches,
                        right="composes.submit"))  # fmt: skip
    register(
        Method(
            name="publish",
            weight=0.5,
            command=publish_command,
            outcome=publish_outcome,
            changed=compose_changed,
            needs_hub=True,
            right="composes.publish",
        )
    )
