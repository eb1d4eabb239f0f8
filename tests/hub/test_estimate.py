"""When a waiting task starts: the guess as a table, and from real history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from hosts import hub
from hosts.models import Host, State, Task
from hosts.queue import why
from hosts.queue.estimate import about, starts_in


@pytest.mark.parametrize(("place", "slots", "remaining", "seconds"), [
    (1, 1, [], 0), (1, 1, [40], 40), (2, 1, [40], 140), (1, 2, [40], 0), (2, 2, [40], 40), (3, 2, [40, 70], 140),
    (1, 1, [-20], 0),  # what runs for longer than usual may end at any moment
    (1, 1, [30, 90], 90), (5, 4, [], 100), (1001, 10, [], 10000),
])  # fmt: skip
def test_the_guess(place: int, slots: int, remaining: Sequence[float], seconds: float) -> None:
    assert starts_in(place, slots, remaining, 100) == seconds


@pytest.mark.parametrize(("seconds", "words"), [
    (0, "within a minute"), (59, "within a minute"), (60, "in about 1 min"), (5340, "in about 89 min"),
    (5400, "in about 2 h"), (36000, "in about 10 h"),
])  # fmt: skip
def test_its_words(seconds: float, words: str) -> None:
    assert about(seconds) == words


@pytest.mark.django_db
def test_history_tells_when_a_task_starts(make: Any, host: Host) -> None:
    Host.objects.update(capacity=1)
    for minutes in (1, 4, 10):
        past = make(f"{minutes} min")
        ended = timezone.now()
        Task.objects.filter(pk=past.pk).update(
            state=State.COMPLETED, started_at=ended - timedelta(minutes=minutes), finished_at=ended
        )
    running = make("running")
    won = hub.claim(host)
    assert won and won.pk == running.pk and won.claim and hub.start(won.claim)
    Task.objects.filter(pk=running.pk).update(started_at=timezone.now() - timedelta(minutes=1))
    waiting = [make(str(number)) for number in range(3)]
    told = why.why_all(waiting)
    busy = "builder-1 is busy with 1 of 1."
    assert [told[task.pk] for task in waiting] == [
        f"Place 1 in the queue: {busy} It should start in about 3 min.",
        f"Place 2 in the queue: {busy} It should start in about 7 min.",
        f"Place 3 in the queue: {busy} It should start in about 11 min.",
    ]
