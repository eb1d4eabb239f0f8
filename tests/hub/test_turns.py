"""Several tasks in one claim: the same, in the same order, as one claim after the other would get."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hosts import hub
from hosts.builder.connection import ClaimLost
from hosts.models import Attempt, Event, Host, State, Task
from hosts.queue.order import Line
from hosts.queue.turns import Waiting, Window, turns

NOW = timezone.now()
LONG_AGO = NOW - timedelta(minutes=5)


def line(share: int, first: int, *, priority: int = 20) -> Line:
    return Line(priority=priority, share=share, first=first, number=1, since=LONG_AGO)


def waiting(number: int, weight: float = 1, *, seconds: float = 300) -> Waiting:
    return Waiting(number, weight, NOW - timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("windows", "space", "got"),
    [
        ({1: [waiting(1), waiting(2), waiting(3)]}, 2, [1, 2]),
        ({1: [waiting(1), waiting(2)], 2: [waiting(3), waiting(4)]}, 4, [1, 3, 2, 4]),  # they take turns
        ({1: [waiting(1), waiting(2, 3), waiting(3)]}, 3, [1, 3]),  # what does not fit any more waits
        ({1: [waiting(1), waiting(2, seconds=0.5), waiting(3)]}, 3, [1]),  # another host may be better for 2
        ({1: [waiting(1, 2), waiting(2)], 2: [waiting(3, 0.5)]}, 2.5, [1, 3]),
    ],
)
def test_turns(windows: dict[int, Sequence[Waiting]], space: float, got: list[int]) -> None:
    lines = [line(share, tasks[0].id) for share, tasks in windows.items()]
    told = turns(
        lines, lambda of: Window(tasks=tuple(windows[of.share]), whole=True), lambda more: space - sum(more),
        moment=NOW, settled_at=NOW - timedelta(seconds=1), most=8,
    )  # fmt: skip
    assert told == got


def test_a_line_whose_first_does_not_fit_any_more_stands_where_its_next_does() -> None:
    """The next one waited longer, and rises above the other line."""
    heavy, long = waiting(2, 9, seconds=60), waiting(3, seconds=660)
    windows = {1: (waiting(1),), 2: (heavy, long), 3: (waiting(4, seconds=60),)}
    first = replace(line(2, 2), since=heavy.ready_at, weight=9, used=1.0)
    told = turns(
        [line(1, 1, priority=10), first, replace(line(3, 4), since=NOW - timedelta(seconds=60))],
        lambda of: Window(tasks=windows[of.share], whole=True), lambda more: 5 - sum(more) if more else 9,
        moment=NOW, settled_at=NOW, most=2,
    )  # fmt: skip
    assert told == [1, 3]


def test_the_turns_end_where_the_rest_of_a_line_is_not_known() -> None:
    known = Window(tasks=(waiting(1), waiting(2, 9)), whole=False)
    told = turns([line(1, 1), line(2, 5)], lambda of: known if of.share == 1 else Window(tasks=(), whole=True),
                 lambda more: 4 - sum(more), moment=NOW, settled_at=NOW, most=8)  # fmt: skip
    assert told == [1]


class Undone(Exception):
    pass


def one_by_one(host: Host, slots: int, most: int) -> list[int]:
    """What single claims give, without a trace."""
    got: list[int] = []
    try:
        with transaction.atomic():
            while len(got) < most and (task := hub.claim(host, slots=slots)):
                got.append(task.pk)
            raise Undone
    except Undone:
        return got


@pytest.mark.django_db
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_claim_of_several_gives_what_single_claims_give(make: Any, host: Host, data: Any) -> None:
    Task.objects.all().delete()
    Host.objects.filter(pk=host.pk).update(capacity=6)
    for _ in range(data.draw(st.integers(1, 9))):
        make("task", weight=data.draw(st.sampled_from([0.5, 1, 3, 9])), priority=data.draw(st.sampled_from([10, 20])))
    for task in Task.objects.all():
        minutes = data.draw(st.sampled_from([1, 11, 25]))
        Task.objects.filter(pk=task.pk).update(
            share=data.draw(st.integers(0, 2)), ready_at=timezone.now() - timedelta(minutes=minutes)
        )
    host.refresh_from_db()
    slots = data.draw(st.integers(1, 9))
    expected = one_by_one(host, slots, 8)
    assert [task.pk for task in hub.claim_some(host, slots=slots)] == expected


@pytest.mark.django_db
def test_a_repeated_claim_of_several_gets_those_that_are_left(make: Any, host: Host) -> None:
    for _ in range(5):
        make()
    Task.objects.update(ready_at=LONG_AGO)
    Host.objects.update(capacity=4)
    host.refresh_from_db()
    token = uuid.uuid4()
    first = hub.claim_some(host, token=token, slots=3)
    assert len({task.claim for task in first}) == 3 == Attempt.objects.count()
    assert first[0].claim == token
    assert Event.objects.filter(what=State.ASSIGNED).count() == 3
    assert hub.claim_some(host, token=token, slots=3) == first
    assert first[0].claim and hub.release(first[0].claim, "It was given up.")
    assert hub.claim_some(host, token=token, slots=3) == first[1:]
    for task in first[1:]:
        assert task.claim and hub.release(task.claim, "It was given up.")
    with pytest.raises(ClaimLost):
        hub.claim_some(host, token=token, slots=3)
