"""One attempt: start, beat, finish, fail, release. Each is fenced by the claim; whoever lost it changes nothing."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from debatomic.tools.errors import Kind
from hosts import registry
from hosts.builder.connection import Beat, File
from hosts.hub.moves import end_attempt, locked_under, move, whole
from hosts.kept import store
from hosts.live import logs
from hosts.models import HostCache, State, Task
from hosts.queue.retries import policy
from hosts.states import HELD

DECISIVE_LINES = 20
CAUSE_LENGTH = 20


def storable(value: Any) -> Any:
    """The same without NUL characters, which PostgreSQL keeps in no text."""
    if isinstance(value, dict):
        return {storable(name): storable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [storable(one) for one in value]
    return value.replace("\0", "") if isinstance(value, str) else value


def holds(claim: uuid.UUID) -> Task | None:
    """The task that runs under this claim, without a lock: for writes that append."""
    return Task.objects.filter(claim=claim, state=State.RUNNING).first()


def _held(claim: uuid.UUID, *states: State) -> Task | None:
    """The locked task of this claim, if it is still in one of these states."""
    task = locked_under(claim)
    return task if task and task.claim == claim and task.state in (states or HELD) else None


@whole
def start(claim: uuid.UUID, *, again: bool = False) -> Task | None:
    """Move an assigned task to running; None if it is not ours any more.

    `again` is said by a host whose first start was not answered: then running under this claim is fine, too.
    """
    task = _held(claim)
    if task is None or (task.state == State.RUNNING and not again):
        return None
    if task.state == State.ASSIGNED:
        moment = timezone.now()
        move(task, State.RUNNING, started_at=moment, lease_ends_at=moment + settings.LEASE)
    return task


def beat(claim: uuid.UUID, *, progress: dict[str, Any] | None = None) -> Beat:
    """Renew the lease, note the progress and learn of a cancel."""
    task = holds(claim)
    if task is None:
        return Beat(keep=False)
    moved = progress is not None and progress != task.progress
    if moved or task.lease_ends_at is None or task.lease_ends_at - timezone.now() < settings.LEASE * 0.75:
        return _renew(task, claim, progress if moved else None)
    return Beat(keep=True, cancel=task.cancel_asked)


@whole
def _renew(task: Task, claim: uuid.UUID, progress: dict[str, Any] | None) -> Beat:
    columns: dict[str, Any] = {"lease_ends_at": timezone.now() + settings.LEASE}
    if progress is not None:
        columns["progress"] = storable(progress)
    if not Task.objects.filter(claim=claim, state=State.RUNNING).update(**columns):
        return Beat(keep=False)
    if progress is not None:
        task.announce("progress")
    return Beat(keep=True, cancel=task.cancel_asked)


@whole
def finish(claim: uuid.UUID, result: dict[str, Any], files: Iterable[File] = ()) -> bool:
    """Record the files and the result of a success. False if the claim is lost: then nothing was written."""
    task = _held(claim, State.RUNNING)
    if task is None:
        return False
    for file in files:
        store.record(task, name=file.name, kind=file.kind, media_type=file.media_type, sha256=file.sha256)
    if (method := registry.find(task.method)) and task.host_id:
        HostCache.objects.note(task.host_id, method.caches(task.request))
    end_attempt(task, "completed")
    move(task, State.COMPLETED, result=storable(result), progress={})
    _seal_later(task)
    return True


@whole
def fail(claim: uuid.UUID, *, reason: str, kind: str, decisive: Sequence[str] = (), cause: str = "") -> bool:
    """Record a failure; the policy of its kind (hosts.queue.retries) says whether another attempt follows, and when.

    `cause` is finer than `kind`; where nobody told it, the kind is the cause, too.
    """
    kind, reason = Kind(kind), storable(reason)
    task = _held(claim)
    if task is None:
        return False
    if kind == Kind.CANCELED or task.cancel_asked_at:
        _cancel(task)
    elif (number := _number(task)) < (retry := policy(kind, task.retries)).attempts:
        _another(task, reason, "failed", retry.pause_after(number))
    else:
        end_attempt(task, "failed", reason)
        move(task, State.FAILED, reason=reason, kind=kind, cause=storable(cause)[:CAUSE_LENGTH] or kind,
             decisive=storable(list(decisive))[-DECISIVE_LINES:])  # fmt: skip
    _seal_later(task)
    return True


@whole
def release(claim: uuid.UUID, reason: str) -> bool:
    """Give a task back that this host cannot bring to an end: it stopped, or whoever ran it is dead."""
    task = _held(claim)
    if task is None:
        return False
    lose(task, reason)
    return True


def lose(task: Task, reason: str) -> None:
    """End an attempt whose host is gone; the task is free again while attempts are left."""
    if task.cancel_asked_at:
        _cancel(task)
    elif task.attempt < task.attempts_allowed:
        _another(task, reason, "lost")
    else:
        end_attempt(task, "lost", reason)
        move(task, State.FAILED, kind=Kind.INFRASTRUCTURE, cause=Kind.INFRASTRUCTURE,
             reason=f"{reason} This was attempt {task.attempt}; no more are allowed.")  # fmt: skip
    _seal_later(task)


def _number(task: Task) -> int:
    """The number of this attempt, from 1, since the submit or the last retry by a person."""
    return task.attempt - task.attempts_allowed + policy(Kind.INFRASTRUCTURE, task.retries).attempts


def _another(task: Task, reason: str, outcome: str, pause: timedelta = timedelta(0)) -> None:
    end_attempt(task, outcome, reason)
    move(task, State.FREE, host=None, started_at=None, progress={}, reason=reason,
         not_before_at=timezone.now() + pause if pause else None)  # fmt: skip


def _cancel(task: Task) -> None:
    end_attempt(task, "canceled")
    move(task, State.CANCELED, reason=task.reason or "Canceled.", kind=Kind.CANCELED, progress={})


def _seal_later(task: Task) -> None:
    """Compress the attempt's logs once its end is written."""
    number = task.attempt
    transaction.on_commit(lambda: logs.seal(task, number), robust=True)
