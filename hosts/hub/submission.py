"""Submit: a row that waits for a host, or a parent that waits for its children."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from debatomic.tools.errors import InputError, Kind
from hosts import registry
from hosts.hub.moves import ATTEMPTS, locked, move, whole
from hosts.models import Channel, Host, State, Task
from hosts.models.task import DEFAULT_PRIORITY


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
    limits: dict[str, Any] | None = None,
    by: Any,
    public: bool = True,
    is_parent: bool = False,
) -> Task:
    """Make a task. Raises InputError for an unknown method, an ended parent or a dependency that did not complete."""
    known = registry.method(method)
    above = _living_parent(parent)
    needed = _completable(dependencies)
    if priority is None:
        priority = above.priority if above else DEFAULT_PRIORITY
    task = Task.objects.create(
        method=method, title=title[:200], request=request, architecture=architecture, channel=channel, only_on=only_on,
        parent=above,
        weight=known.weight if weight is None else weight, priority=priority, limits=limits or {},
        created_by=by if getattr(by, "is_authenticated", False) else None,
        public=public, is_parent=is_parent, attempts_allowed=ATTEMPTS,
    )  # fmt: skip
    task.depend_on(needed)
    task.announce("created")
    if above and above.cancel_asked_at:
        move(task, State.CANCELED, reason=f"Task {above.pk} is being canceled.", kind=Kind.CANCELED)
    return task


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
            raise InputError(f"Nothing can depend on task {row.pk}: it is {row.get_state_display()}.")
    return rows
