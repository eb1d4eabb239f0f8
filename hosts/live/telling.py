"""Of several tasks of one thing: which tells most, and why each still waits."""

from __future__ import annotations

from collections.abc import Sequence

from hosts.models import State, Task
from hosts.queue.why import why_all


def first_failed(tasks: Sequence[Task]) -> Task | None:
    """The task that failed first: the cause of what ended after it."""
    failed = [task for task in tasks if task.state == State.FAILED and task.finished_at]
    return min(failed, key=lambda task: (task.finished_at, task.pk), default=None)


def most_telling(tasks: Sequence[Task], asked: str = "") -> Task | None:
    """Whose log to show: the one asked for by its number, else what failed, else what runs, else the first."""
    wanted = next((task for task in tasks if str(task.pk) == asked), None)
    running = next((task for task in tasks if task.state == State.RUNNING), None)
    return wanted or first_failed(tasks) or running or next(iter(tasks), None)


def with_waits(tasks: Sequence[Task]) -> list[tuple[Task, str]]:
    """Each task with the sentence why it waits, empty where it does not."""
    why = why_all(tasks)
    return [(task, why[task.pk]) for task in tasks]
