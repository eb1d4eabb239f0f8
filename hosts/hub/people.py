"""What people do to tasks: cancel, retry, set the priority. Rights are asked by the page or the API before."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError, Kind
from hosts import registry
from hosts.hub.moves import end_attempt, free_again, locked, move, oldest_first, whole
from hosts.hub.submission import check_priority
from hosts.models import State, Task
from hosts.states import LIVE


@whole
def cancel(task: Task, by: Any) -> bool:
    """Ask a task and all beneath it to end. What has not started ends now, the rest within seconds.

    False if it has ended already or was asked before.
    """
    row = locked(task.pk)
    changed = row.is_live and row.cancel_asked_at is None
    if changed:
        _cancel(row, f"Canceled by {by}." if by else "Canceled.")
        AuditEntry.note(by, "task.cancel", f"task {row.pk}")
    task.refresh_from_db()
    return changed


def _cancel(task: Task, reason: str) -> None:
    task.cancel_asked_at = timezone.now()
    task.reason = reason
    task.save(update_fields=["cancel_asked_at", "reason"])
    for child in oldest_first(task.children.filter(state__in=LIVE)):
        _cancel(child, reason)
    task.refresh_from_db(fields=["state"])
    if task.state in (State.FREE, State.ASSIGNED):
        end_attempt(task, "canceled", reason)
        move(task, State.CANCELED, reason=reason, kind=Kind.CANCELED)
    elif task.is_live:
        task.announce("cancel")


@whole
def retry(task: Task, by: Any) -> None:
    """Begin a failed or canceled task anew; a parent begins those of its children anew that did not complete.

    Raises InputError where it is not failed or canceled, needs another task that is, or may not run again by what its
    method says or that of a task above it.
    """
    row = locked(task.pk)
    if row.state not in (State.FAILED, State.CANCELED):
        hint = "Only failed and canceled tasks can be retried."
        raise InputError(f"Task {row.pk} is {row.get_state_display()}.", hint=hint)
    again = _with_children(row) if row.is_parent else [row, *_dropped_with(row)]
    _refuse_hopeless(again)
    for one in (*_above(row), *again):
        if known := registry.find(one.method):
            known.again(one)
    for one in again:
        one.refresh_from_db()  # a parent follows its children
        if one.state in (State.FAILED, State.CANCELED):
            free_again(one)
    AuditEntry.note(by, "task.retry", f"task {row.pk}")
    task.refresh_from_db()


def _above(task: Task) -> list[Task]:
    """Its parent, and so on."""
    return [task.parent, *_above(task.parent)] if task.parent else []


def _with_children(task: Task) -> list[Task]:
    """What did not complete, children first: a parent follows them."""
    ended = oldest_first(task.children.filter(state__in=(State.FAILED, State.CANCELED)))
    return [one for child in ended for one in _with_children(child)] + [task]


def _dropped_with(task: Task) -> list[Task]:
    """The siblings nobody canceled, but for what also needs another that ended badly: they ended because this did."""
    if task.parent_id is None:
        return []
    siblings = Task.objects.filter(parent=task.parent_id, state=State.CANCELED, cancel_asked_at=None)
    dropped = oldest_first(siblings.exclude(pk=task.pk))
    while hopeless := _hopeless([task, *dropped]) & {one.pk for one in dropped}:
        dropped = [one for one in dropped if one.pk not in hopeless]
    return dropped


def _hopeless(tasks: list[Task]) -> set[int]:
    """The ids of what needs something that ended badly and is not among these."""
    return set(_needed_by(tasks).values_list("dependants", flat=True))


def _needed_by(tasks: list[Task]) -> QuerySet[Task]:
    """What these need that ended badly and is not among them."""
    numbers = [task.pk for task in tasks]
    needed = Task.objects.filter(dependants__in=numbers, state__in=(State.FAILED, State.CANCELED))
    return needed.exclude(pk__in=numbers)


def _refuse_hopeless(tasks: list[Task]) -> None:
    if ended := _needed_by(tasks).first():
        reason = f"It needs task {ended.pk} ({ended.title}), which is {ended.get_state_display()}."
        raise InputError(reason, hint="Retry that first.")


@whole
def set_priority(task: Task, priority: int, by: Any) -> None:
    """Put a live task and all that lives beneath it before (lower) or behind others. Raises InputError (priority)."""
    check_priority(priority)
    row = locked(task.pk)
    if not row.is_live:
        raise InputError(f"Task {row.pk} is {row.get_state_display()}.", field="priority")
    _prioritize(row, priority)
    AuditEntry.note(by, "task.priority", f"task {row.pk}", priority=priority)
    task.refresh_from_db()


def _prioritize(task: Task, priority: int) -> None:
    Task.objects.filter(pk=task.pk).update(priority=priority)
    task.announce("priority")
    for child in oldest_first(task.children.filter(state__in=LIVE)):
        _prioritize(child, priority)
