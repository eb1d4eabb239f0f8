"""Who comes next, as tables over lines; and fair turns through real claims."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from debatomic.access.models import User
from hosts import hub
from hosts.models import Host, Task
from hosts.queue.order import Line, in_order, lifted, place

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def line(
    first: int = 1, *, priority: int = 20, share: int = 1, number: int = 1, waits: float = 0, used: float = 0,
    served: float | None = None,
) -> Line:  # fmt: skip
    """`waits` and `served` are minutes ago."""
    return Line(priority=priority, share=share, first=first, number=number, since=ago(waits), used=used,
                served_at=None if served is None else ago(served))  # fmt: skip


@pytest.mark.parametrize(("given", "level"), [
    (line(), 20), (line(waits=9), 20), (line(waits=10), 19), (line(waits=35), 17), (line(waits=300), 0),
    (line(waits=35, served=12), 19), (line(waits=35, served=600), 17),  # since it was served, or since it is there
    (line(priority=1000, waits=300), 970), (line(priority=1000, waits=720), 0), (line(priority=-5, waits=720), -5),
    (line(priority=0, waits=60), 0),
])  # fmt: skip
def test_a_line_that_is_not_served_rises(given: Line, level: int) -> None:
    assert lifted(given, NOW) == level


@pytest.mark.parametrize(("given", "first"), [
    ([line(5, priority=10), line(1)], 5),  # priority before age
    ([line(5), line(1, share=2)], 1),  # age
    ([line(5), line(1, share=2, used=1)], 5),  # for whom less runs
    ([line(5), line(1, share=2, served=1)], 5),  # who was never served
    ([line(5, served=2), line(1, share=2, served=1)], 5),  # who was served longest ago
    ([line(5, used=1, served=2), line(1, share=2, served=1)], 1),  # what runs weighs more than turns
    ([line(5, priority=30, waits=101), line(1, share=2, served=0)], 5),  # a starved line
    ([line(5, priority=30, waits=99), line(1, share=2, served=0)], 1),
    ([line(1, number=3000, waits=500, served=0), line(5, share=2)], 5),  # age alone is no merit
])  # fmt: skip
def test_the_line_that_is_served_next(given: Sequence[Line], first: int) -> None:
    assert in_order(given, NOW)[0].first == first


@pytest.mark.parametrize(("others", "mine", "ahead", "at"), [
    ([], line(), 0, 1), ([], line(), 7, 8),
    ([line(1, share=2, number=4, priority=10)], line(9), 0, 5),  # all that is more urgent
    ([line(1, share=2, number=4, priority=30)], line(9), 3, 4),  # nothing that is less
    ([line(1, share=2, number=3000)], line(9), 0, 2),  # one turn of another
    ([line(1, share=2, number=3000, used=2, served=1)], line(9), 0, 1),
    ([line(1, share=2, number=3000)], line(9, used=2), 0, 4),
    ([line(1, share=2, number=3000)], line(9), 10, 22), ([line(1, share=2, number=3)], line(9), 10, 14),
    ([line(1, share=2, number=9), line(2, share=3, number=9)], line(3), 1, 6),
])  # fmt: skip
def test_the_place_in_the_queue(others: list[Line], mine: Line, ahead: int, at: int) -> None:
    assert place([*others, mine], mine, ahead, NOW) == at


@pytest.fixture
def people(users: dict[str, User]) -> tuple[User, User]:
    return users["packager"], users["release-manager"]


def work_off(host: Host, number: int) -> list[str]:
    """The titles of so many tasks that the host runs one after another."""
    titles = []
    for _ in range(number):
        task = hub.claim(host)
        assert task is not None and task.claim is not None
        titles.append(task.title)
        assert hub.start(task.claim) and hub.finish(task.claim, {})
    return titles


@pytest.mark.django_db
def test_many_tasks_of_one_person_delay_another_by_one_at_most(
    make: Any, host: Host, people: tuple[User, User]
) -> None:
    for number in range(30):
        make(f"a{number}", by=people[0])
    assert work_off(host, 2) == ["a0", "a1"]
    make("b0", by=people[1])
    make("b1", by=people[1])
    assert work_off(host, 5) == ["b0", "a2", "b1", "a3", "a4"]


@pytest.mark.django_db
def test_whoever_has_less_running_comes_first(make: Any, host: Host, people: tuple[User, User]) -> None:
    host.capacity = 4
    host.save()
    for number in range(6):
        make(f"a{number}", by=people[0])
    for number in range(2):
        make(f"b{number}", by=people[1])
    found = [hub.claim(host) for _ in range(4)]
    assert [task.title for task in found if task] == ["a0", "b0", "a1", "b1"]


@pytest.mark.django_db
def test_what_is_not_urgent_is_not_forgotten(make: Any, host: Host, people: tuple[User, User]) -> None:
    low = make("low", by=people[1], priority=30)
    Task.objects.filter(pk=low.pk).update(ready_at=timezone.now() - timedelta(minutes=100))
    for number in range(3):
        make(f"a{number}", by=people[0])
    assert work_off(host, 3)[:2] == ["low", "a0"]


@pytest.mark.django_db
def test_the_place_is_where_claims_put_it(make: Any, host: Host, people: tuple[User, User]) -> None:
    made = [make(f"{number}", by=people[number % 3 % 2], priority=20 - number % 5 // 4) for number in range(12)]
    told = {task.title: place_of(task) for task in made}
    claimed = work_off(host, 12)
    assert sorted(told.values()) == list(range(1, 13))
    assert claimed[0] == next(title for title, at in told.items() if at == 1)


def place_of(task: Task) -> int:
    waiting = Task.objects.waiting().lines()
    mine = next(one for one in waiting if (one.priority, one.share) == (task.priority, task.share))
    ahead = Task.objects.waiting().filter(priority=task.priority, share=task.share, pk__lt=task.pk).count()
    return place(waiting, mine, ahead, timezone.now())
