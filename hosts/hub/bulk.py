"""Many tasks at once, in bounded batches: each by its own verb, in its own transaction, for whoever may do it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from debatomic.tools.errors import InputError
from hosts.hub.people import cancel, retry
from hosts.models import State, Task
from hosts.models.task import TaskQuerySet

MOST = 500  # tasks in one batch
NOT_ALLOWED = "Your role does not allow this."


@dataclass
class Batch:
    """What was done, by the tasks' ids; why not with others; and whether more are left for another batch."""

    done: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    more: bool = False


def cancel_many(tasks: TaskQuerySet, *, by: Any) -> Batch:
    """Cancel those of these tasks that have not ended, oldest first."""
    return _each(tasks.live().filter(cancel_asked_at=None), lambda task: _canceled(task, by))


def retry_many(tasks: TaskQuerySet, *, by: Any) -> Batch:
    """Retry those of these tasks that failed or were canceled, oldest first."""
    return _each(tasks.filter(state__in=(State.FAILED, State.CANCELED)), lambda task: _retried(task, by))


def picked(visible: TaskQuerySet, numbers: Iterable[int]) -> TaskQuerySet:
    """The tasks with these ids. Raises InputError, field ids, for an unknown one and for too many."""
    wanted = set(numbers)
    if not wanted or len(wanted) > MOST:
        raise InputError(f"Name from 1 to {MOST} tasks, not {len(wanted)}.", field="ids")
    found = visible.filter(pk__in=wanted)
    if unknown := sorted(wanted - set(found.values_list("pk", flat=True))):
        raise InputError(f"There is no task {unknown[0]}.", field="ids")
    return found


def _each(tasks: TaskQuerySet, act: Callable[[Task], bool]) -> Batch:
    """`act` says whether it did something; its refusals are kept."""
    batch = Batch()
    rows = list(tasks.order_by("pk")[: MOST + 1])
    batch.more = len(rows) > MOST
    for task in rows[:MOST]:
        try:
            if act(task):
                batch.done.append(task.pk)
        except InputError as error:
            batch.refused[task.pk] = error.sentence
    return batch


def _canceled(task: Task, by: Any) -> bool:
    if not task.can_cancel(by):
        raise InputError(NOT_ALLOWED)
    return cancel(task, by)


def _retried(task: Task, by: Any) -> bool:
    task.refresh_from_db(fields=["state"])  # its parent's retry may have begun it anew
    if task.state not in (State.FAILED, State.CANCELED):
        return False
    if not task.can_retry(by):
        raise InputError(NOT_ALLOWED)
    retry(task, by)
    return True
