"""Which task a host gets, and that none is ever given twice."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hosts import hub
from hosts.builder.connection import ClaimLost
from hosts.models import Attempt, Channel, Host, State, Task
from hosts.queue.choosing import refusals
from tests.hub.site import Site, wait


def claims(host: Host, **options: Any) -> list[str]:
    """The titles of all this host can claim now."""
    titles = []
    while task := hub.claim(host, **options):
        titles.append(task.title)
    return titles


@pytest.fixture
def other(default_channel: Channel) -> Host:
    made = Host.objects.create(name="other", architectures=["arm64"], capacity=8)
    made.channels.add(default_channel)
    return made


@pytest.mark.django_db
class TestChoice:
    def test_priority_then_age(self, make: Any, host: Host) -> None:
        make("second")
        make("third", priority=21)
        make("first", priority=1)
        host.capacity = 9
        host.save()
        assert claims(host) == ["first", "second", "third"]

    def test_capacity_is_the_sum_of_weights(self, make: Any, host: Host) -> None:
        for weight in (0.5, 1.2, 0.5, 0.3):
            make(f"{weight:g}", weight=weight)
        assert claims(host) == ["0.5", "1.2", "0.3"]

    def test_what_weighs_more_than_the_host_runs_there_alone(self, make: Any, host: Host) -> None:
        make("light", priority=30)
        heavy = make("heavy", weight=50)
        assert claims(host) == ["heavy"]
        hub.release(Task.objects.get(pk=heavy.pk).claim, "again")  # type: ignore[arg-type]

    def test_slots_limit_the_number_whatever_they_weigh(self, make: Any, host: Host) -> None:
        for number in range(4):
            make(str(number), weight=0.1)
        assert claims(host, slots=3) == ["0", "1", "2"]

    def test_architecture_channel_and_place(self, make: Any, host: Host, other: Host) -> None:
        images = Channel.objects.create(name="images")
        make("for amd64", architecture="amd64")
        make("for arm64", architecture="arm64")
        make("elsewhere", channel=images)
        make("near the hub", "hub-work")
        make("anywhere", architecture="all")
        make("too", priority=99)
        assert claims(other) == ["for arm64", "anywhere", "too"]
        assert claims(host) == ["for amd64", "near the hub"]

    def test_what_is_for_one_host_goes_to_no_other(self, make: Any, host: Host, other: Host) -> None:
        make("for the other", only_on=other)
        make("for all")
        assert claims(host) == ["for all"]
        assert claims(other) == ["for the other"]

    def test_a_host_that_is_switched_off_gets_nothing(self, make: Any, host: Host) -> None:
        make()
        Host.objects.update(state="disabled")
        assert claims(host) == []

    def test_a_claim_that_is_repeated_gets_the_same_task_and_later_none(self, make: Any, host: Host) -> None:
        make("first")
        make("second")
        token = uuid.uuid4()
        for _ in range(2):
            task = hub.claim(host, token=token)
            assert task and task.title == "first"
        hub.start(token)
        hub.finish(token, {})
        with pytest.raises(ClaimLost):
            hub.claim(host, token=token)  # it was on its way too long
        assert claims(host) == ["second"]

    def test_an_idle_poll_writes_nothing(
        self, make: Any, host: Host, django_assert_num_queries: Callable[[int], Any]
    ) -> None:
        with django_assert_num_queries(2):
            assert hub.claim(host) is None


@pytest.fixture
def configuration(settings: Any) -> Any:
    """Django's settings: `settings` is Hypothesis's here."""
    return settings


@pytest.mark.django_db
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_page_gives_the_reason_the_claim_had(
    make: Any, host: Host, other: Host, configuration: Any, data: Any
) -> None:
    """What the task's page says of each host and the claim's query never disagree."""
    configuration.GRACE = timedelta(seconds=data.draw(st.sampled_from([0, 60])))
    Task.objects.all().delete()
    images = Channel.objects.get_or_create(name="images")[0]
    for one in (host, other):
        one.is_hub = data.draw(st.booleans())
        one.state = data.draw(st.sampled_from(["enabled", "enabled", "enabled", "draining", "maintenance", "disabled"]))
        one.quarantined_at = data.draw(st.sampled_from([None, None, timezone.now()]))
        one.channels.set(data.draw(st.lists(st.sampled_from([images, *Channel.objects.filter(name="default")]))))
        one.save()
        hub.report(one, {"slots": data.draw(st.integers(1, 3))})
        one.refresh_from_db()
    made: list[Task] = []
    for _ in range(data.draw(st.integers(1, 5))):
        made.append(make(
            "task", data.draw(st.sampled_from(["work", "hub-work"])), weight=data.draw(st.sampled_from([0.5, 1, 3])),
            architecture=data.draw(st.sampled_from(["", "all", "amd64", "arm64"])),
            channel=data.draw(st.sampled_from([images, *Channel.objects.filter(name="default")])),
            dependencies=data.draw(st.lists(st.sampled_from(made), unique=True, max_size=1)) if made else [],
        ))  # fmt: skip
    for one in data.draw(st.lists(st.sampled_from([host, other]), max_size=6)):
        waiting = Task.objects.waiting().unblocked().in_queue_order().select_related("channel")
        before = {task: dict(refusals(task))[one.name] for task in waiting}
        won = hub.claim(one, slots=one.report["slots"])
        assert won == next((task for task, reason in before.items() if not reason), None), before


def test_many_threads_never_share_a_task(make: Any, transactional_db: None, default_channel: Channel) -> None:
    """On PostgreSQL really side by side; SQLite in memory has one writer anyway, and its file is tried below."""
    hosts = [Host.objects.create(name=f"host-{n}", architectures=["amd64"], capacity=100) for n in range(4)]
    for one in hosts:
        one.channels.add(default_channel)
    for _ in range(40):
        make(architecture="amd64")
    won: list[int] = []

    def work(host: Host) -> None:
        try:
            while task := hub.claim(host):
                won.append(task.pk)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=[one]) for one in hosts for _ in range(2)]
    if connection.vendor == "sqlite":
        work_one_after_another(threads)
    else:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(won) == sorted(Task.objects.values_list("pk", flat=True))
    assert Attempt.objects.count() == 40
    assert set(Task.objects.values_list("state", flat=True)) == {State.ASSIGNED}


def work_one_after_another(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.run()


@pytest.mark.integration
def test_many_processes_never_share_a_task(site: Site) -> None:
    """Four hosts with two processes each, on the site's real database, until nothing is left."""
    site.ask("[host(f'h{number}') for number in range(4)]")
    site.ask("submit('true', 200) and None")
    workers = [site.spawn("-m", "tests.hub.tryout.claimer", f"h{number % 4}") for number in range(8)]
    for worker in workers:
        assert worker.wait(300) == 0, site.output()
    assert site.ask("list(Task.objects.order_by().values_list('state', 'attempt').distinct())") == [["completed", 1]]
    assert site.ask("Attempt.objects.count()") == 200
    assert site.output().count("\n") == 200
    assert site.ask("Attempt.objects.order_by().values('host').distinct().count()") >= 2


@pytest.mark.integration
def test_strict_priority_across_the_real_cluster(site: Site) -> None:
    low, high = site.ask("submit('sleep 0.1', 4, priority=30)"), site.ask("submit('sleep 0.1', 4, priority=10)")
    site.builder(DEBATOMIC_CAPACITY="1")
    wait(lambda: site.ask("not Task.objects.live().exists()"), 120, site.output)
    assert site.ask("list(Attempt.objects.order_by('started_at').values_list('task', flat=True))") == [*high, *low]
