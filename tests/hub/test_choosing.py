"""Which host should have a task, as tables over strategies; and the grace that lets it come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from hosts import hub
from hosts.models import Channel, Host, HostCache, HostState, Task
from hosts.queue.choosing import refusals
from hosts.queue.strategies import STRATEGIES, Idle
from hosts.registry import Method

MakeHost = Callable[..., Host]


def idle(name: str, capacity: float = 4, **facts: Any) -> Idle:
    return Idle(name=name, capacity=capacity, **facts)


@pytest.mark.parametrize(("strategy", "hosts", "best"), [
    ("least-loaded", [idle("a", used=1), idle("b")], "b"),
    ("least-loaded", [idle("a"), idle("b", capacity=8, used=1)], "a"),  # 1/4 and 2/8: alike, so by name
    ("least-loaded", [idle("a", used=1), idle("b", capacity=8, used=2)], "b"),  # 2/4 and 3/8
    ("least-loaded", [idle("a", load=0.9), idle("b", load=0.1)], "b"),
    ("round-robin", [idle("a", last_given=7, given=1), idle("b", last_given=5, given=9), idle("c", last_given=6)], "b"),
    ("round-robin", [idle("a", last_given=7), idle("b")], "b"),  # none lately
    ("weighted-round-robin", [idle("a", given=2, last_given=1), idle("b", capacity=8, given=3, last_given=2)], "b"),
    ("weighted-round-robin", [idle("a", given=2, last_given=4), idle("b", capacity=8, given=4, last_given=3)], "b"),
    ("least-tasks", [idle("a", number=1, used=0.1), idle("b", number=0, used=3)], "b"),
    ("least-tasks", [idle("a", number=1, used=1), idle("b", number=1, used=0.5)], "b"),
    ("most-free-memory", [idle("a", free_memory=4 << 30), idle("b", free_memory=8 << 30)], "b"),
    ("cache-affinity", [idle("a", warm=0), idle("b", warm=2, used=3), idle("c", warm=1)], "b"),
    ("cache-affinity", [idle("a", warm=1, used=2), idle("b", warm=1), idle("c")], "b"),
    ("random-of-two", [idle("a", used=1), idle("b")], "b"),  # both of two
])  # fmt: skip
def test_the_best_of_several(strategy: str, hosts: Sequence[Idle], best: str) -> None:
    assert {STRATEGIES[strategy](order, 1, 7).name for order in (hosts, hosts[::-1])} == {best}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_alone_is_the_best(strategy: str) -> None:
    assert STRATEGIES[strategy]([idle("alone")], 9, 1).name == "alone"


def test_chance_names_two_and_the_better_one_gets_it() -> None:
    hosts = [idle("full", used=3), *(idle(f"host-{number}") for number in range(4))]
    got = Counter(STRATEGIES["random-of-two"](hosts, 1, seed).name for seed in range(400))
    assert got["full"] == 0
    assert all(60 <= got[f"host-{number}"] <= 140 for number in range(4))


@pytest.mark.parametrize(("strategy", "shares"), [
    ("round-robin", [30, 30]), ("weighted-round-robin", [20, 40]), ("least-loaded", [20, 40]),
])  # fmt: skip
def test_over_time_each_gets_its_part(strategy: str, shares: list[int]) -> None:
    """The smaller of two hosts has half the capacity of the larger; what they get stays for round robin to see."""
    given, last = Counter[str](), Counter[str]()
    for number in range(1, 61):
        hosts = [idle(name, capacity, given=given[name], last_given=last[name], used=given[name] / 10)
                 for name, capacity in (("small", 4), ("large", 8))]  # fmt: skip
        best = STRATEGIES[strategy](hosts, 0.1, number).name
        given[best] += 1
        last[best] = number
    assert [given["small"], given["large"]] == shares


@pytest.fixture
def make_host(default_channel: Channel) -> MakeHost:
    def make_one(name: str, **columns: Any) -> Host:
        columns = {"architectures": ["amd64"], "capacity": 4, "seen_at": timezone.now(), **columns}
        host = Host.objects.create(name=name, **columns)
        host.channels.add(default_channel)
        return host

    return make_one


@pytest.fixture
def second(settings: Any) -> None:
    settings.GRACE = timedelta(seconds=1)


def age(task: Task, seconds: float) -> None:
    task.ready_at = timezone.now() - timedelta(seconds=seconds)
    task.save(update_fields=["ready_at"])


@pytest.mark.django_db
@pytest.mark.usefixtures("second")
class TestGrace:
    def test_a_worse_host_leaves_a_fresh_task_to_the_better_one(self, make: Any, make_host: MakeHost) -> None:
        worse, better = make_host("worse", report={"load": [3.0], "processors": 1}), make_host("better")
        task = make()
        assert hub.claim(worse) is None
        assert dict(refusals(task)) == {"better": "", "worse": "worse leaves it to better for 1 s (least-loaded)."}
        assert hub.claim(better) == task

    def test_but_not_for_longer_than_the_grace(self, make: Any, make_host: MakeHost) -> None:
        worse, _ = make_host("worse", report={"load": [3.0], "processors": 1}), make_host("better")
        task = make()
        age(task, 1.1)
        assert dict(refusals(task)) == {"better": "", "worse": ""}
        assert hub.claim(worse) == task

    @pytest.mark.parametrize(
        "columns", [{"seen_at": None}, {"state": HostState.DISABLED}, {"architectures": ["arm64"]}]
    )
    def test_nor_for_one_that_cannot_come(self, make: Any, make_host: MakeHost, columns: dict[str, Any]) -> None:
        worse, _ = make_host("worse", report={"load": [3.0], "processors": 1}), make_host("better", **columns)
        task = make(architecture="amd64")
        assert hub.claim(worse) == task

    def test_nor_for_one_that_is_busy(self, make: Any, make_host: MakeHost) -> None:
        worse, better = make_host("worse", capacity=100), make_host("better", capacity=1)
        Channel.objects.update(strategy="round-robin")
        first, second = make(), make()
        assert [hub.claim(better), hub.claim(worse)] == [first, second]

    def test_it_takes_the_next_one_instead(self, make: Any, make_host: MakeHost) -> None:
        worse, better = make_host("worse"), make_host("better")
        special = Channel.objects.create(name="special")
        worse.channels.add(special)
        first, second = make(), make(channel=special)
        assert [hub.claim(worse), hub.claim(better)] == [second, first]

    def test_a_task_that_was_blocked_has_its_grace_when_it_is_not(self, make: Any, make_host: MakeHost) -> None:
        worse, better = make_host("worse", report={"load": [3.0], "processors": 1}), make_host("better")
        needed = make()
        task = make(dependencies=[needed])
        won = hub.claim(better)
        assert won and won.claim and hub.start(won.claim) and hub.finish(won.claim, {})
        assert hub.claim(worse) is None
        assert hub.claim(better) == task


@pytest.mark.django_db
def test_what_a_task_left_on_its_host_draws_its_like(
    make: Any, make_host: MakeHost, methods: dict[str, Method], settings: Any
) -> None:
    methods["work"] = Method(name="work", caches=lambda request: ("trixie", f"trixie {request['source']}"))
    Channel.objects.update(strategy="cache-affinity")
    cold, warm = make_host("cold"), make_host("warm", capacity=8)
    make(request={"source": "jq"})
    won = hub.claim(warm)
    assert won and won.claim and hub.start(won.claim) and hub.finish(won.claim, {})
    assert set(HostCache.objects.values_list("host__name", "name")) == {("warm", "trixie"), ("warm", "trixie jq")}
    settings.GRACE = timedelta(seconds=60)
    task = make(request={"source": "jq"})
    assert hub.claim(cold) is None
    assert hub.claim(warm) == task
