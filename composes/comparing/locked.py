"""The locks of composes that retention has not removed: what they name stays."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Q

from hosts.kept import store
from hosts.models import Artifact


def texts() -> Iterator[str]:
    """Each of them once, as it is kept."""
    there = Q(task__compose__removed_at=None, task__compose__isnull=False)
    there |= Q(task__parent__compose__removed_at=None, task__parent__compose__isnull=False)
    locks = Artifact.objects.filter(there, name="lock.json").order_by().values_list("sha256", flat=True).distinct()
    for sha256 in locks.iterator():
        try:
            with store.open(sha256) as file:
                yield file.read().decode(errors="replace")
        except FileNotFoundError:  # its row is about to go
            continue
