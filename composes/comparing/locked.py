"""The locks of composes, as text: what they name by SHA-256 or by the address of a snapshot stays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db.models import Q

from hosts.kept import store
from hosts.models import Artifact, State


def unnoted() -> Iterator[str]:
    """Those of composes that retention has not removed and that are in no rows yet (composes.releases.contained)."""
    there = Q(task__compose__removed_at=None, task__compose__isnull=False)
    there |= Q(task__parent__compose__removed_at=None, task__parent__compose__isnull=False)
    noted = Q(task__method="compose-arch", task__state=State.COMPLETED)
    return read(Artifact.objects.filter(there, name="lock.json").exclude(noted))


def read(locks: Iterable[Artifact]) -> Iterator[str]:
    """Each of them once, as it is kept; without those that are gone."""
    for sha256 in {lock.sha256 for lock in locks}:
        try:
            with store.open(sha256) as file:
                yield file.read().decode(errors="replace")
        except FileNotFoundError:  # its row is about to go
            continue
