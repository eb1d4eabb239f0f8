"""Dependencies that are added later, and chains: no circle is let in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError
from hosts.hub.moves import locked, note_ready, whole
from hosts.models import State, Task

MOST_STEPS = 1000  # tasks a search for circles looks at


@whole
def depend(task: Task, on: Iterable[Task], by: Any) -> None:
    """Have a waiting task wait for others, too; the hub does it by None. Raises InputError, field dependencies."""
    needed = sorted(on, key=lambda one: one.pk)
    rows = {pk: locked(pk) for pk in sorted({task.pk, *(one.pk for one in needed)})}
    if rows[task.pk].state != State.FREE or task.is_parent:
        reason = f"Task {task.pk} is {rows[task.pk].get_state_display()}; only a task that waits can wait for more."
        raise InputError(reason, field="dependencies")
    for one in needed:
        if rows[one.pk].state in (State.FAILED, State.CANCELED):
            reason = f"Nothing can depend on task {one.pk}: it is {rows[one.pk].get_state_display()}."
            raise InputError(reason, field="dependencies")
        if circle := way(one.pk, task.pk):
            shown = " → ".join(map(str, [task.pk, *circle]))
            raise InputError(f"They would wait for each other: {shown}.", field="dependencies")
    task.depend_on(needed)
    note_ready([task.pk])
    if by is not None:
        AuditEntry.note(by, "task.depend", f"task {task.pk}", on=[one.pk for one in needed])
    task.refresh_from_db()
    task.announce("dependencies")


def way(start: int, to: int) -> list[int]:
    """The tasks from `start` to `to`, each needing the next: a dependency, or a parent its children; empty: none."""
    came_from: dict[int, int] = {start: 0}
    level = [start]
    while level and to not in came_from and len(came_from) < MOST_STEPS:
        links = Task.dependencies.through.objects.filter(from_task__in=level).values_list("from_task", "to_task")
        children = Task.objects.filter(parent__in=level).order_by().values_list("parent", "pk")
        found = [(above, below) for above, below in [*links, *children] if above and below not in came_from]
        came_from |= {below: above for above, below in found}
        level = [below for _, below in found]
    return _back(came_from, to) if to in came_from else []


def _back(came_from: dict[int, int], to: int) -> list[int]:
    steps = [to]
    while came_from[steps[-1]]:
        steps.append(came_from[steps[-1]])
    return steps[::-1]
