"""A task that is a condition: a parent without children, that no host takes and that ends when somebody says so."""

from __future__ import annotations

from django.utils import timezone

from debatomic.tools.errors import Kind
from hosts.hub.moves import locked, move, whole
from hosts.models import State, Task


@whole
def settle(task: Task, *, failed: str = "") -> bool:
    """Complete a condition, or have it fail for this reason: what depends on it follows.

    False, and nothing changed, where it does not wait any more, or not yet: what it depends on is not completed.
    """
    row = locked(task.pk)
    if row.state != State.FREE or row.ready_at is None or not row.is_parent or row.children.exists():
        return False
    if failed:
        move(row, State.FAILED, reason=failed, kind=Kind.DEP_WAIT, cause=Kind.DEP_WAIT)
    else:
        move(row, State.RUNNING, started_at=timezone.now())
        move(row, State.COMPLETED)
    return True
