"""The reaper: what no host renews any more is free again. Any number of reapers may run at once."""

from __future__ import annotations

import uuid

from django.utils import timezone

from hosts.hub.attempts import lose
from hosts.hub.moves import locked, whole
from hosts.models import Task


def reap() -> int:
    """End every attempt whose lease ran out; the number of those."""
    expired = Task.objects.held().filter(is_parent=False, lease_ends_at__lt=timezone.now())
    claims = list(expired.order_by("pk").values_list("pk", "claim"))
    return sum(_reap(task_id, claim) for task_id, claim in claims if claim)


@whole
def _reap(task_id: int, claim: uuid.UUID) -> bool:
    task = locked(task_id)
    if task.claim != claim or task.lease_ends_at is None or task.lease_ends_at >= timezone.now():
        return False  # it ended or was renewed meanwhile
    silent = timezone.now() - task.lease_ends_at
    lose(task, f"Host {task.host} was not heard of any more ({silent.seconds} s beyond the lease).")
    return True
