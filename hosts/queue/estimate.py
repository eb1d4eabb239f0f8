"""When a waiting task starts, guessed from what its like took lately."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from statistics import median

from django.db.models import F
from django.utils import timezone

from hosts.models import State, Task

LATELY = 25  # completed tasks of the method that are looked at
MOST = 10_000  # places; beyond, nobody asks for minutes


def starts_in(place: int, slots: int, remaining: Sequence[float], typical: float) -> float:
    """Seconds until the task at this place starts: `remaining` of what runs, `typical` of each task before it."""
    running = sorted(remaining, reverse=True)[:slots]
    ends = [max(0.0, seconds) for seconds in running] + [0.0] * (slots - len(running))
    heapq.heapify(ends)
    for _ in range(min(place, MOST) - 1):
        heapq.heapreplace(ends, ends[0] + typical)
    return ends[0]


class History:
    """What tasks of each method took lately, and what runs; each is read once."""

    def __init__(self) -> None:
        self._typical: dict[tuple[str, str], float | None] = {}

    def starts_in(self, task: Task, place: int, slots: Mapping[str, int]) -> float | None:
        """Seconds until a waiting task starts on these hosts, with their slots; None without any history."""
        typical = self.typical(task)
        if typical is None or not slots:
            return None
        remaining = [typical - ran for host, ran in self._running if host in slots]
        return starts_in(place, sum(slots.values()), remaining, typical)

    @cached_property
    def _running(self) -> list[tuple[str, float]]:
        """Host and seconds so far of what hosts hold."""
        held = Task.objects.held().filter(is_parent=False).order_by().values_list("host__name", "started_at")
        moment = timezone.now()
        return [(host, (moment - (started or moment)).total_seconds()) for host, started in held]

    def typical(self, task: Task) -> float | None:
        """The median of seconds that the last completed tasks of this method and architecture ran."""
        key = (task.method, task.architecture)
        if key not in self._typical:
            alike = Task.objects.filter(method=task.method, architecture=task.architecture, state=State.COMPLETED)
            took = alike.order_by("-pk").exclude(started_at=None).annotate(took=F("finished_at") - F("started_at"))
            seconds = [span.total_seconds() for span in took.values_list("took", flat=True)[:LATELY] if span]
            self._typical[key] = median(seconds) if seconds else None
        return self._typical[key]


def about(seconds: float) -> str:
    """A guess in words that do not promise more than it knows."""
    span = timedelta(seconds=seconds)
    if span < timedelta(minutes=1):
        return "within a minute"
    if span < timedelta(minutes=90):
        return f"in about {round(seconds / 60)} min"
    return f"in about {round(seconds / 3600)} h"
