"""Builds of a commit: a host makes the source package, then it is built as if it had been uploaded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import transaction

from builds import submit
from builds.models import Target
from builds.packing import pack
from builds.sources import Source
from builds.submitting.signatures import Checking
from chroots.engine.archives.dsc import NAME, VERSION, parse_dsc
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.models import Artifact, State, Task
from hosts.registry import Job, KeptFile, Method, Outcome, program

METHOD = "source-git"
LIMITS = {"time_limit": 3600, "idle_limit": 1800}  # seconds
TOLD = ("source", "version", "commit", "upstream")


@transaction.atomic
def from_git(target: Target, url: str, ref: str, *, by: User, scratch: bool, architectures: Sequence[str] = ()) -> Task:
    """The task that makes the source package; its build comes with its end. Raises InputError with the field."""
    pack.check(url, ref, tuple(settings.GIT_PROTOCOLS))
    if not target.enabled:
        raise InputError(f"Target {target} is disabled.", field="target")
    if target.signatures == Checking.REQUIRED:
        raise InputError(f"{target} takes only what is signed; a commit is not.",
                         hint="Upload a signed source package.", field="target")  # fmt: skip
    request = {"url": url, "ref": ref, "target": target.name, "scratch": scratch,
               "architectures": list(architectures)}  # fmt: skip
    task = hub.submit(METHOD, f"source package of {ref} of {url}", request=request, channel=target.channel,
                      limits=LIMITS, by=by)  # fmt: skip
    AuditEntry.note(by, "build.submit-git", task, target=target.name, url=url, ref=ref)
    return task


def command(job: Job) -> list[str]:
    """Fetched and packed on a host, by programs without rights."""
    request = job.request
    protocols = [part for each in settings.GIT_PROTOCOLS for part in ("--protocol", each)]
    hosts = [part for each in settings.GIT_HOSTS for part in ("--host", each)]
    return program(
        "builds.packing", request["url"], "--ref", request["ref"], "--output", job.output, *protocols, *hosts
    )


def outcome(job: Job) -> Outcome:
    """The source package's files, and of which architectures its .dsc says it is."""
    result: dict[str, Any] = json.loads((job.output / "result.json").read_text())
    names = result["files"]
    files = tuple(KeptFile(path=job.output / name, name=name, kind=Artifact.Kind.SOURCE) for name in names)
    told = {name: result[name] for name in TOLD}
    return Outcome(result={**told, "architectures": list(parse_dsc(job.output / names[0]).architectures)}, files=files)


def changed(task: Task) -> None:
    """In the transaction that ends the task: its build. Raises InputError: the task fails with that sentence."""
    if task.state != State.COMPLETED or "build" in task.result:
        return
    found, request = task.result, task.request
    if not NAME.fullmatch(found["source"][:100]) or not VERSION.fullmatch(found["version"][:100]):
        raise InputError("The host tells a source package that cannot be.")
    target = Target.objects.filter(name=request["target"]).first()
    if target is None:
        raise InputError(f"There is no target {request['target']} any more.")
    artifacts = task.artifacts.filter(kind=Artifact.Kind.SOURCE).order_by("pk")
    files = tuple({"name": one.name, "sha256": one.sha256, "size": one.size} for one in artifacts)
    source = Source(name=found["source"], version=found["version"], architectures=tuple(found["architectures"]),
                    files=files, url=request["url"], commit=found["commit"][:64])  # fmt: skip
    build = submit.of_commit(target, source, by=_person(task), scratch=request["scratch"],
                             architectures=request["architectures"])  # fmt: skip
    Task.objects.filter(pk=task.pk).update(result={**{name: found[name] for name in TOLD}, "build": build.pk})


def _person(task: Task) -> User:
    if task.created_by is None:
        raise InputError("Whoever asked for it is gone.")
    return task.created_by


REGISTERED = Method(name=METHOD, weight=0.5, command=command, outcome=outcome, changed=changed, anew=True)
