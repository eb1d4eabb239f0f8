"""Submit: a row that waits for a host, or a parent that waits for its children."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils import timezone

from debatomic.tools.errors import InputError, Kind
from hosts import registry
from hosts.hub.moves import locked, move, whole
from hosts.hub.waking import wake
from hosts.models import Channel, Host, State, Task
from hosts.models.task import DEFAULT_PRIORITY
from hosts.queue.limits import checked as checked_limits
from hosts.queue.retries import checked as checked_retries
from hosts.queue.retries import policy

PRIORITIES = range(1001)  # lower runs first
ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]{1,19}")  # of Debian: amd64, kfreebsd-amd64; empty for any host


@whole
def submit(  # noqa: PLR0913 - the columns of a task, each by its name
    method: str,
    title: str,
    *,
    request: dict[str, Any],
    architecture: str = "",
    channel: Channel,
    only_on: Host | None = None,
    parent: Task | None = None,
    dependencies: Iterable[Task] = (),
    weight: float | None = None,
    priority: int | None = None,
    limits: Mapping[str, Any] | None = None,
    retries: Mapping[str, Any] | None = None,
    by: Any,
    public: bool = True,
    is_parent: bool = False,
    failable: bool = False,
) -> Task:
    """Make a task. Raises InputError, with the field where one is wrong.

    Priority, retries and limits not given here are the parent's, or the usual ones.
    """
    known = registry.method(method)
    _check(architecture, weight, priority)
    above = _living_parent(parent)
    needed = _completable(dependencies)
    if priority is None:
        priority = above.priority if above else DEFAULT_PRIORITY
    wanted = checked_retries(dict(retries if retries is not None else above.retries if above else {}))
    person = by if getattr(by, "is_authenticated", False) else None
    task = Task.objects.create(
        method=method, title=title[:200], request=request, architecture=architecture, channel=channel, only_on=only_on,
        parent=above, weight=known.weight if weight is None else weight, priority=priority, retries=wanted,
        limits=checked_limits(dict(limits or {})), created_by=person, share=person.pk if person else 0,
        public=public, is_parent=is_parent, failable=failable,
        attempts_allowed=policy(Kind.INFRASTRUCTURE, wanted).attempts,
        ready_at=timezone.now() if all(row.state == State.COMPLETED for row in needed) else None,
    )  # fmt: skip
    task.depend_on(needed)
    task.announce("created")
    wake()
    if above and above.cancel_asked_at:
        move(task, State.CANCELED, reason=f"Task {above.pk} is being canceled.", kind=Kind.CANCELED)
    return task


def _check(architecture: str, weight: float | None, priority: int | None) -> None:
    if architecture and not ARCHITECTURE.fullmatch(architecture):
        raise InputError(f"“{architecture}” is no name of an architecture.", field="architecture")
    if weight is not None and not 0 < weight < float("inf"):
        raise InputError(f"A weight is above 0, not {weight:g}.", field="weight")
    if priority is not None:
        check_priority(priority)


def check_priority(priority: int) -> None:
    if priority not in PRIORITIES:
        raise InputError(f"A priority is from 0 (first) to {PRIORITIES[-1]}, not {priority}.", field="priority")


def _living_parent(parent: Task | None) -> Task | None:
    if parent is None:
        return None
    row = locked(parent.pk)
    if not row.is_parent or row.is_final:
        raise InputError(f"Task {row.pk} takes no further tasks: it is {row.get_state_display()}.")
    return row


def _completable(dependencies: Iterable[Task]) -> list[Task]:
    rows = [locked(task.pk) for task in sorted(dependencies, key=lambda task: task.pk)]
    for row in rows:
        if row.state in (State.FAILED, State.CANCELED):
            reason = f"Nothing can depend on task {row.pk}: it is {row.get_state_display()}."
            raise InputError(reason, field="dependencies")
    return rows
