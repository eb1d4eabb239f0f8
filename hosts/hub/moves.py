"""The one place that writes a task's state, and what follows from it for parents and dependants."""

from __future__ import annotations

import functools
import logging
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

from django.db import OperationalError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from debatomic.tools.errors import Kind
from hosts import registry
from hosts.hub import statements
from hosts.hub.waking import wake
from hosts.models import Attempt, Event, State, Task
from hosts.queue.retries import policy
from hosts.states import FINAL, HELD, LIVE, MOVES

logger = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")

TRIES = 5
ENDED_BADLY = (State.FAILED, State.CANCELED)
GAVE_UP = ("40001", "40P01")  # PostgreSQL: serialization failure, dead-lock
FRESH: dict[str, Any] = {
    "reason": "", "kind": "", "cause": "", "decisive": [], "progress": {}, "result": {}, "host": None,
    "cancel_asked_at": None, "not_before_at": None, "started_at": None, "finished_at": None,
}  # fmt: skip


def whole(verb: Callable[P, R]) -> Callable[P, R]:
    """Make a verb one transaction, begun again when the database gave it up for another one."""

    @functools.wraps(verb)
    def in_transaction(*args: P.args, **kwargs: P.kwargs) -> R:
        outermost = not transaction.get_connection().in_atomic_block
        for _ in range(TRIES - 1 if outermost else 0):
            try:
                with transaction.atomic():
                    return verb(*args, **kwargs)
            except OperationalError as error:
                if getattr(error.__cause__, "sqlstate", "") not in GAVE_UP:
                    raise
        with transaction.atomic():
            return verb(*args, **kwargs)

    return in_transaction


def locked(task_id: int) -> Task:
    """This task, with it and its ancestors locked until the transaction ends: oldest first, so nobody dead-locks."""
    return locked_family(task_id, _parent_of(task_id))


def locked_under(claim: uuid.UUID) -> Task | None:
    """The same for the task of this claim; None if none has it. A task without a parent takes one query."""
    if alone := statements.first(Task, _alone_under, "claim", claim):
        return alone
    known = list(Task.objects.filter(claim=claim).order_by().values_list("pk", "parent_id")[:1])
    return locked_family(*known[0]) if known else None


def _alone_under(claim: uuid.UUID) -> QuerySet[Task]:
    """The task of this claim if it has no parent, locked."""
    return Task.objects.select_for_update(no_key=True).order_by().filter(claim=claim, parent=None)


def locked_family(task_id: int, above: int | None) -> Task:
    """The same where the parent is known."""
    chain = [task_id]
    while above:
        chain.append(above)
        above = _parent_of(above)
    rows = {row.pk: row for row in Task.objects.select_for_update(no_key=True).filter(pk__in=chain).order_by("pk")}
    return rows[task_id]


def _parent_of(task_id: int) -> int | None:
    return Task.objects.values_list("parent_id", flat=True).get(pk=task_id)


def move(task: Task, to: State, **columns: Any) -> None:
    """Change the state of a locked task, tell its method and the pages, and let parent and dependants follow."""
    move_all([(task, columns)], to)


def move_all(changes: Sequence[tuple[Task, dict[str, Any]]], to: State) -> None:
    """The same for several locked tasks, each with its columns."""
    for task, columns in changes:
        _write(task, to, columns)
    _announce([task.event(to.value) for task, _ in changes])
    for task, _ in changes:
        _tell_method(task)
        _follow(task, to)


def _announce(events: Sequence[Event]) -> None:
    if len(events) == 1:
        statements.insert(events[0])
    else:
        Event.objects.bulk_create(events)


def _write(task: Task, to: State, columns: Mapping[str, Any]) -> None:
    was = State(task.state)
    if to not in MOVES[was]:
        raise ValueError(f"Task {task.pk} cannot go from {was} to {to}.")
    columns = {**_columns(was, to), **columns, "state": to}
    if not statements.update(Task, {"id": task.pk, "state": was}, columns):
        raise RuntimeError(f"Task {task.pk} was changed without a lock.")
    for name, value in columns.items():
        setattr(task, name, value)
    if to == State.FREE:
        note_ready([task.pk])


def _follow(task: Task, to: State) -> None:
    """What a task's new state means for its parent and for what depends on it."""
    if to != State.ASSIGNED:  # a claim locks nothing but its own row
        _follow_parent(task)
    if to in (State.FAILED, State.CANCELED):
        _drop_dependants(task)
    if to == State.COMPLETED:
        _ready_dependants(task)


def _ready_dependants(task: Task) -> None:
    """What waited for this task alone may start now. Locked first: of two that end at once, the later one sees both."""
    if not Task.dependencies.through.objects.filter(to_task=task).exists():  # nobody adds one while we hold the task
        return
    waiting = oldest_first(Task.objects.filter(dependencies=task, state=State.FREE, ready_at=None))
    if waiting:
        note_ready(one.pk for one in waiting)


def note_ready(tasks: Iterable[int]) -> None:
    """Write down, for locked tasks by their ids, since when a host may have them: now, or not yet."""
    numbers = set(tasks)
    needs = Task.dependencies.through.objects.filter(from_task__in=numbers).exclude(to_task__state=State.COMPLETED)
    blocked = set(needs.values_list("from_task", flat=True))
    Task.objects.filter(pk__in=blocked).update(ready_at=None)
    Task.objects.filter(pk__in=numbers - blocked).update(ready_at=timezone.now())
    wake()


def _columns(was: State, to: State) -> dict[str, Any]:
    """What every such change writes besides the state."""
    columns: dict[str, Any] = {} if to in HELD else {"claim": None, "lease_ends_at": None}
    if to in FINAL:
        columns["finished_at"] = timezone.now()
    if was in FINAL:
        columns |= FRESH
    return columns


def _tell_method(task: Task) -> None:
    """A method that cannot take a success makes it fail; nothing it does keeps a task from ending."""
    method = registry.find(task.method)
    if method is None or not method.follows:
        return
    if task.state == State.COMPLETED:
        method.changed(task)
        return
    try:
        with transaction.atomic():
            method.changed(task)
    except Exception:
        logger.exception("Method %s could not follow task %s to %s", task.method, task.pk, task.state)


def end_attempt(task: Task, outcome: str, reason: str = "") -> None:
    """Write the history of the attempt that ends."""
    attempt = {"task": task.pk, "number": task.attempt, "finished_at": None}
    statements.update(Attempt, attempt, {"finished_at": timezone.now(), "outcome": outcome, "reason": reason})


def free_again(task: Task) -> None:
    """Begin anew after a failure or a cancel."""
    move(task, State.FREE, attempts_allowed=task.attempt + policy(Kind.INFRASTRUCTURE, task.retries).attempts)


def parent_state(children: Iterable[str]) -> State:
    """The state of a parent by its children's."""
    states = set(children)
    for decisive in (State.FAILED, State.CANCELED):
        if decisive in states:
            return decisive
    if states == {State.COMPLETED}:
        return State.COMPLETED
    return State.RUNNING if states & {State.RUNNING, State.COMPLETED} else State.FREE


def _follow_parent(task: Task) -> None:
    if task.parent_id is None:
        return
    parent = Task.objects.select_for_update(no_key=True).get(pk=task.parent_id)
    to = parent_state(_deciding(parent))
    if to == parent.state or to not in MOVES[State(parent.state)]:
        return
    if to in (State.FAILED, State.CANCELED):
        _end_parent(parent, to)
    else:
        began = parent.started_at if parent.is_live else None
        move(parent, to, **({"started_at": began or timezone.now()} if to == State.RUNNING else {}))


def _deciding(parent: Task) -> list[str]:
    """The states of its children that count: what is failable does no harm; others may have to end first."""
    rows = Task.objects.filter(parent=parent).values_list("state", "failable")
    states = [State.COMPLETED if failable and state in ENDED_BADLY else state for state, failable in rows]
    method = registry.find(parent.method)
    if method and method.others_go_on and any(state in LIVE for state in states):
        return [state for state in states if state not in ENDED_BADLY]
    return states


def _end_parent(parent: Task, to: State) -> None:
    """A child failed or was canceled: say which, and cancel what has not started."""
    child = parent.children.filter(state=to, failable=False).order_by("finished_at", "pk")[0]
    reason = child.reason if to == State.CANCELED else f"{child.title}: {child.reason}"
    move(parent, to, reason=reason, kind=child.kind, cause=child.cause, decisive=child.decisive)
    for sibling in parent.children.filter(state=State.FREE).order_by("pk"):
        drop(sibling, f"Not needed any more: {child.title} {State(to).label}.")


def drop(task: Task, reason: str) -> None:
    """Cancel what has not started, with all beneath it, because it can serve nothing any more."""
    for child in task.children.filter(state=State.FREE).order_by("pk"):
        drop(child, reason)
    task.refresh_from_db(fields=["state"])
    if task.state == State.FREE:
        move(task, State.CANCELED, reason=reason, kind=Kind.CANCELED)


def _drop_dependants(task: Task) -> None:
    """What depends on a task that did not complete cannot run: its own family is canceled, others fail."""
    waiting = Task.objects.select_for_update(no_key=True).filter(dependencies=task, state=State.FREE).order_by("pk")
    for dependant in list(waiting):
        dependant.refresh_from_db(fields=["state"])
        if dependant.state != State.FREE:  # it depended on another one of these, too
            continue
        why = f"Needs task {task.pk} ({task.title}), which was {task.get_state_display()}: {task.reason}"
        same_family = task.parent_id is not None and dependant.parent_id == task.parent_id
        if task.state == State.CANCELED or same_family:
            move(dependant, State.CANCELED, reason=why, kind=Kind.CANCELED)
        else:
            told = {"kind": task.kind, "cause": task.cause, "decisive": task.decisive}
            move(dependant, State.FAILED, reason=why, **told)


def oldest_first(tasks: Any) -> list[Task]:
    """Lock these rows in the order everybody locks them."""
    return list(tasks.select_for_update(no_key=True).order_by(F("pk")))
