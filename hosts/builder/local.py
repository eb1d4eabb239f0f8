"""The hub as seen from its own machine: the verbs and the store themselves."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django import db
from django.conf import settings

from debatomic.tools.errors import InfrastructureError, InputError
from hosts import hub
from hosts.builder import bell
from hosts.builder.connection import Beat, Claimed, ClaimLost, File, Held, Tick, Unreachable
from hosts.kept import store
from hosts.live import logs
from hosts.models import Host, Task
from hosts.registry import Job


@contextmanager
def _database() -> Iterator[None]:
    """Trouble with the database is an answer that did not come: the connection is dropped, a new one is tried later.

    So is trouble with the artifact storage.
    """
    try:
        yield
    except InfrastructureError as error:
        raise Unreachable(error.sentence) from error
    except (db.OperationalError, db.InterfaceError) as error:
        if not db.connection.in_atomic_block:
            db.connection.close()
        raise Unreachable(f"The database does not answer: {error}") from error


def job_of(task: Task) -> dict[str, Any]:
    """What a host needs to know of a task, as plain data: the fields of a Job."""
    return {
        "task": task.pk, "attempt": task.attempt, "claim": str(task.claim), "method": task.method, "title": task.title,
        "architecture": task.architecture, "request": task.request, "limits": task.limits,
    }  # fmt: skip


def texts(value: Any) -> Iterator[str]:
    """All texts in a JSON value, but for the names of its fields."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from texts(one)


def running(claim: str) -> Task:
    """The task that runs under this claim. Raises ClaimLost."""
    task = hub.holds(uuid.UUID(claim))
    if task is None:
        raise ClaimLost
    return task


def log(claim: str, name: str, offset: int, data: bytes) -> int:
    """Add to a log of the running attempt: where to go on from, which lies before `offset` where bytes are missing."""
    task = running(claim)
    try:
        return logs.append(task.pk, task.attempt, name, offset, data)
    except logs.LogGap as gap:
        return gap.size
    except logs.LogEnded as ended:
        raise ClaimLost from ended


def require_named(claim: str, sha256: str) -> None:
    """Only what its request names may the host read that runs a task. Raises ClaimLost, InputError."""
    if sha256 not in texts(running(claim).request):
        raise InputError(f"This task's request names no file with SHA-256 {sha256}.")


def not_kept(sha256: str) -> InputError:
    return InputError(f"The file with SHA-256 {sha256} is not kept any more.", hint="Submit its source again.")


class LocalHub:
    """Speaks in the database (hosts.builder.connection.Hub)."""

    def claim(self, token: str, slots: int) -> list[Claimed]:
        with _database():
            host = Host.objects.filter(name=settings.HOST_NAME).first()
            tasks = hub.claim_some(host, token=uuid.UUID(token), slots=slots) if host else []
        return [Claimed(task.pk, str(task.claim)) for task in tasks]

    def listen(self) -> int | None:
        with _database():
            return bell.listen()

    def report(self, said: Mapping[str, Any]) -> list[Held]:
        with _database():
            return hub.report(Host.objects.get(name=settings.HOST_NAME), dict(said))

    def start(self, claim: str, *, again: bool = False) -> Job | None:
        with _database():
            task = hub.start(uuid.UUID(claim), again=again)
        return Job(**job_of(task)) if task else None

    def beat(self, claim: str, progress: Mapping[str, Any] | None) -> Beat:
        with _database():
            return hub.beat(uuid.UUID(claim), progress=dict(progress) if progress is not None else None)

    def log(self, claim: str, name: str, offset: int, data: bytes) -> int:
        with _database():
            return log(claim, name, offset, data)

    def upload(self, claim: str, path: Path, tick: Tick) -> str:
        with _database():
            return store.put(path, tick=tick)[0]

    def fetch(self, claim: str, sha256: str, to: Path, tick: Tick) -> None:
        with _database():
            require_named(claim, sha256)
            try:
                store.copy_to(sha256, to, tick)
            except FileNotFoundError:
                raise not_kept(sha256) from None

    def finish(self, claim: str, result: Mapping[str, Any], files: Sequence[File]) -> bool:
        with _database():
            return hub.finish(uuid.UUID(claim), dict(result), files)

    def fail(self, claim: str, *, reason: str, kind: str, decisive: Sequence[str], cause: str = "") -> bool:
        with _database():
            return hub.fail(uuid.UUID(claim), reason=reason, kind=kind, decisive=decisive, cause=cause)

    def release(self, claim: str, reason: str) -> bool:
        with _database():
            return hub.release(uuid.UUID(claim), reason)
