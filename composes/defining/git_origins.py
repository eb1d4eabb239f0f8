"""Definitions that follow a git repository: set up, synchronised by a task, and what came of it."""

from __future__ import annotations

import json
import re
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from composes.defining import definitions
from composes.models import Definition, GitOrigin
from composes.pipeline import gitsource
from composes.pipeline.gitsource import GitSource
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError, ToolError
from hosts import hub
from hosts.models import LIVE, Channel, Event, State, Task
from hosts.registry import Job, Outcome, program

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")  # as a treefile's and an address' part
METHOD = "definition-sync"
LIMITS = {"time_limit": 600, "idle_limit": 300}  # seconds


@transaction.atomic
def follow(name: str, *, url: str, branch: str, path: str, by: User) -> Definition:
    """Have a definition, a new one if there is none of that name, follow a branch. Raises InputError with its field."""
    if not NAME.fullmatch(name):
        raise InputError(f"“{name:.60}” is no name: small letters, digits and dashes.", field="name")
    gitsource.check(GitSource(url=url, branch=branch, path=path), settings.GIT_PROTOCOLS)
    definition, _ = Definition.objects.get_or_create(name=name)
    values = {"url": url, "branch": branch, "path": path, "commit": "", "fault": ""}
    GitOrigin.objects.update_or_create(definition=definition, defaults=values)
    AuditEntry.note(by, "definition.follow", name, url=url, branch=branch, path=path)
    return definition


@transaction.atomic
def unfollow(definition: Definition, *, by: User) -> None:
    """Let it be edited here again. Its revisions stay."""
    origin = of(definition)
    AuditEntry.note(by, "definition.unfollow", definition.name, url=origin.url)
    origin.delete()


def of(definition: Definition) -> GitOrigin:
    """What it follows. Raises InputError if it follows nothing."""
    origin = GitOrigin.objects.filter(definition=definition).first()
    if origin is None:
        raise InputError(f"{definition} follows no git repository.")
    return origin


@transaction.atomic
def sync(definition: Definition, *, by: Any) -> Task:
    """Have a host fetch its branch. Raises InputError where it follows none, ToolError where that is done already."""
    origin = GitOrigin.objects.select_for_update().filter(pk=of(definition).pk).get()
    running = Task.objects.filter(method=METHOD, state__in=LIVE, request__definition=definition.name).first()
    if running:
        raise ToolError(f"{definition} is being synchronised already, by task {running.pk}.")
    request = {"definition": definition.name, "url": origin.url, "branch": origin.branch, "path": origin.path}
    task = hub.submit(METHOD, f"sync {definition} from {origin.branch}", request=request, limits=LIMITS, by=by,
                      channel=Channel.objects.get(name="default"))  # fmt: skip
    AuditEntry.note(by, "definition.sync", definition.name, task=task.pk)
    return task


def command(job: Job) -> list[str]:
    """Fetched and validated on a host, by git without rights."""
    request = job.request
    protocols = [part for each in settings.GIT_PROTOCOLS for part in ("--protocol", each)]
    hosts = [part for each in settings.GIT_HOSTS for part in ("--host", each)]
    return program(
        "composes.pipeline", "fetch-definition", request["url"], "--branch", request["branch"], "--path",
        request["path"], "--name", request["definition"], "--output", job.output, *protocols,
        *hosts,
    )  # fmt: skip


def outcome(job: Job) -> Outcome:
    result: dict[str, Any] = json.loads((job.output / "result.json").read_text())
    return Outcome(result={name: result[name] for name in ("commit", "author", "message", "main", "files")})


def changed(task: Task) -> None:
    """In the transaction that ends the task: its revision, or why there is none. Raises InputError: the task fails."""
    origin = GitOrigin.objects.select_for_update().filter(definition__name=task.request["definition"]).first()
    if origin and task.state == State.COMPLETED:
        _take(origin, task)
    elif origin and task.state == State.FAILED:
        GitOrigin.objects.filter(pk=origin.pk).update(fault=task.reason, synced_at=timezone.now())
    Event.objects.create(kind="definition", key=task.request["definition"], what=task.state,
                         topics=["definitions", f"task:{task.pk}"])  # fmt: skip


def _take(origin: GitOrigin, task: Task) -> None:
    found = task.result
    if (origin.url, origin.branch, origin.path) != tuple(task.request[key] for key in ("url", "branch", "path")):
        raise InputError(f"{origin.definition} follows something else meanwhile.", hint="Synchronise it again.")
    revision = definitions.import_files(found["files"], found["main"], message=str(found["message"])[:200],
                                        commit=found["commit"], author=str(found["author"])[:200])  # fmt: skip
    if revision.definition_id != origin.definition_id:
        raise InputError(f"{found['main']} names the definition {revision.definition}, not {origin.definition}.")
    kept = {key: value for key, value in found.items() if key != "files"}
    Task.objects.filter(pk=task.pk).update(result={**kept, "revision": revision.number})
    GitOrigin.objects.filter(pk=origin.pk).update(commit=found["commit"], synced_at=timezone.now(), fault="")
