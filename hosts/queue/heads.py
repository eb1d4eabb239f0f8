"""The first of each line, for claims: found by jumping along the index of the queue, however long the lines are."""

from __future__ import annotations

from hosts.models import Task
from hosts.models.task import TaskQuerySet
from hosts.queue.order import Line

# {fitting} is the query of the waiting tasks that may be taken; with the index a jump reads what it finds, and no more.
JUMPS = """WITH RECURSIVE head (id, priority, share, ready_at, weight) AS (
    SELECT * FROM (SELECT * FROM ({fitting}) one ORDER BY priority, share, id LIMIT 1) two
    UNION ALL
    SELECT task.id, task.priority, task.share, task.ready_at, task.weight FROM head JOIN hosts_task task ON task.id = (
        SELECT id FROM ({fitting}) one WHERE (one.priority, one.share) > (head.priority, head.share)
        ORDER BY priority, share, id LIMIT 1)
) SELECT head.*, (SELECT claimed_at FROM hosts_task served WHERE claimed_at IS NOT NULL
    AND served.share = head.share AND served.priority = head.priority ORDER BY claimed_at DESC LIMIT 1) AS claimed_at
FROM head"""


def heads(fitting: TaskQuerySet) -> list[Line]:
    """The lines of these waiting tasks as claims need them: all but how many there are in each. Two queries."""
    columns = fitting.order_by().values_list("id", "priority", "share", "ready_at", "weight")
    sql, params = columns.query.sql_with_params()
    found = list(Task.objects.raw(JUMPS.format(fitting=sql), (*params, *params)))
    used = Task.objects.used() if len(found) > 1 else {}
    return [
        Line(priority=task.priority, share=task.share, first=task.pk, number=1, since=task.ready_at, weight=task.weight,
             served_at=task.claimed_at, used=used.get(task.share, 0.0))
        for task in found if task.ready_at
    ]  # fmt: skip
