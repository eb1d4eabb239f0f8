"""Every sentence that says why a task waits, and the hosts and tasks that lead to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from hosts import hub
from hosts.models import Channel, Host, HostState, State, Task
from hosts.queue import why

pytestmark = pytest.mark.django_db


@pytest.fixture
def hosts(make: Any) -> Callable[..., list[Host]]:
    """Make hosts, each from what is special about it; `busy` is the weights of the tasks it runs."""

    def make_one(
        number: int, *, busy: Sequence[float] = (), silent: float | None = 0, out: dict[str, Any] | None = None,
        channels: Sequence[str] = ("default",), **columns: Any,
    ) -> Host:  # fmt: skip
        seen_at = None if silent is None else timezone.now() - timedelta(seconds=silent)
        columns = {"name": f"host-{number}", "architectures": ["amd64"], "capacity": 2, "seen_at": seen_at, **columns}
        host = Host.objects.create(**columns)
        host.channels.set([Channel.objects.get_or_create(name=name)[0] for name in channels])
        for weight in busy:
            task = make("held", weight=weight, priority=1)
            assert hub.claim(host) == task
        Host.objects.filter(pk=host.pk).update(**(out or {}))
        host.refresh_from_db()
        return host

    return lambda *given: [make_one(number, **special) for number, special in enumerate(given, 1)]


def plain(sentence: str) -> str:
    return sentence.replace("\xa0", " ")


FULL = {"busy": [2]}
OFF = {"out": {"state": "disabled"}}
DRAINED = {"out": {"state": "draining"}}
MAINTAINED = {"out": {"state": "maintenance", "comment": "New disk."}}
DISTRUSTED = {"out": {"quarantined_at": timezone.now(), "quarantine": "3 tasks failed."}}
ILL = {"out": {"problems": [{"name": "disk", "found": "0 GiB are free", "mend": "Free it."}]}}


@pytest.mark.parametrize(("given", "columns", "sentence"), [
    # nobody could run it
    ([], {}, "There is no host yet."),
    ([OFF, OFF], {}, "All hosts are switched off."),
    ([OFF, {"architectures": ["arm64"]}], {"architecture": "amd64"}, "host-1, which could run it, is switched off."),
    ([OFF, OFF, {"channels": []}], {}, "host-1 and host-2, which could run it, are switched off."),
    ([OFF, OFF, OFF, OFF, {"channels": []}], {},
     "host-1, host-2, host-3 and 1 more, which could run it, are switched off."),
    ([MAINTAINED, {"channels": []}], {}, "host-1, which could run it, is in maintenance: New disk."),
    ([OFF, DRAINED], {},
     "All hosts that could run it are out: host-1 is switched off. host-2 is being drained."),
    ([ILL, DISTRUSTED, OFF, DRAINED], {},
     "All hosts that could run it are out: host-1 is out of service: disk: 0 GiB are free. "
     "host-2 is in quarantine: 3 tasks failed. host-3 is switched off. 1 more are out, too."),
    ([ILL, {}], {}, "Place 1 in the queue: a host takes it in a moment."),
    ([{}], {"architecture": "arm64"}, "No host for arm64."),
    ([{"channels": ["other"]}], {"architecture": "amd64"}, "No host for amd64 in channel default."),
    ([{"channels": ["other"]}], {"architecture": "all"}, "No host for all in channel default."),
    ([{"channels": ["other"]}], {}, "No host for work in channel default."),
    ([{}], {"method": "hub-work"}, "No host for hub-work in channel default."),
    # who could is not there
    ([{"silent": None}], {}, "No host is there: host-1 never reported."),
    ([{"silent": 300}, {"silent": None}, {"channels": []}], {"architecture": "amd64"},
     "No host is there: host-1 was last heard of 5 minutes ago. host-2 never reported."),
    # a matter of time
    ([{}], {}, "Place 1 in the queue: a host takes it in a moment."),
    ([FULL, {}], {"architecture": "all"}, "Place 1 in the queue: a host takes it in a moment."),
    ([{}], {"weight": 9.0}, "Place 1 in the queue: a host takes it in a moment."),  # heavy tasks run alone
    ([{"is_hub": True}], {"method": "hub-work"}, "Place 1 in the queue: a host takes it in a moment."),
    ([FULL], {}, "Place 1 in the queue: host-1 is busy with 2 of 2."),
    ([{"busy": [1.5]}, {"silent": 300}], {}, "Place 1 in the queue: host-1 is busy with 1.5 of 2."),
    ([{"busy": [0.1, 0.1]}], {"weight": 0.1}, "Place 1 in the queue: host-1 is busy with 0.2 of 2."),  # no slot left
    ([FULL, FULL, FULL, FULL, FULL], {},
     "Place 1 in the queue: host-1 is busy with 2 of 2. host-2 is busy with 2 of 2. host-3 is busy with 2 of 2. "
     "So are 2 more."),
])  # fmt: skip
def test_what_hosts_make_a_task_wait(
    make: Any, hosts: Any, given: list[dict[str, Any]], columns: dict[str, Any], sentence: str
) -> None:
    hosts(*given)
    assert plain(why.why_waiting(make(**columns))) == sentence


@pytest.mark.parametrize(("given", "columns", "sentence"), [
    ({}, {}, ""),
    (OFF, {}, "host-1 is switched off."),
    (DRAINED, {}, "host-1 is being drained."),
    (MAINTAINED, {}, "host-1 is in maintenance: New disk."),
    (DISTRUSTED, {}, "host-1 is in quarantine: 3 tasks failed."),
    (ILL, {}, "host-1 is out of service: disk: 0 GiB are free."),
    ({"channels": ["other"]}, {}, "host-1 does not serve channel default."),
    ({}, {"architecture": "arm64"}, "host-1 does not run arm64."),
    ({}, {"method": "hub-work"}, "host-1 does not share the hub's folder."),
    ({"silent": None}, {}, "host-1 never reported."),
    ({"silent": 7200}, {}, "host-1 was last heard of 2 hours ago."),
    (FULL, {}, "host-1 is busy with 2 of 2."),
    ({}, {"is_parent": True}, "It runs with its tasks."),
])  # fmt: skip
def test_why_a_host_does_not_take_a_task(
    make: Any, hosts: Any, given: dict[str, Any], columns: dict[str, Any], sentence: str
) -> None:
    [host] = hosts(given)
    assert plain(why.refusal(make(**columns), host)) == sentence


def test_a_task_for_one_host_waits_for_that(make: Any, hosts: Any) -> None:
    first, second = hosts({}, FULL)
    task = make(only_on=second)
    assert why.refusal(task, first) == "The task is not for host-1."
    assert why.why_waiting(task) == "Place 1 in the queue: host-2 is busy with 2 of 2."
    Host.objects.filter(pk=second.pk).update(state=HostState.DISABLED)
    assert why.why_waiting(task) == "host-2, which could run it, is switched off."


def test_the_place_counts_what_comes_before_in_the_same_queue(make: Any, hosts: Any) -> None:
    hosts(FULL)
    make("another architecture", architecture="amd64")
    make("another channel", channel=Channel.objects.create(name="other"))
    make("blocked", dependencies=[make("first")])
    make("less urgent", priority=30)
    task = make("mine")
    make("more urgent", priority=10)
    make("later")
    assert why.why_waiting(task) == "Place 3 in the queue: host-1 is busy with 2 of 2."


def test_a_task_says_what_it_waits_for(make: Any, hosts: Any) -> None:
    [host] = hosts({})
    first, second = make("first"), make("second")
    one, two = make(dependencies=[first]), make(dependencies=[second, first])
    assert why.why_waiting(one) == f"Waits for task {first.pk} (first)."
    assert why.why_waiting(two) == f"Waits for task {first.pk} (first) and 1 more."
    won = hub.claim(host)
    assert won and won.claim and hub.start(won.claim) and hub.finish(won.claim, {})
    soon = "It should start within a minute."
    assert why.why_waiting(one) == f"Place 2 in the queue: a host takes it in a moment. {soon}"
    assert why.refusal(two, host) == f"Waits for task {second.pk} (second)."


@pytest.mark.parametrize(("seconds", "reason", "sentence"), [
    (90, "Network.", "Tries again in 90 s: Network."), (90, "", "Tries again in 90 s"),
    (0.2, "Network.", "Tries again in 1 s: Network."),
    (-1, "Network.", "Place 1 in the queue: a host takes it in a moment."),
])  # fmt: skip
def test_a_task_that_failed_says_when_it_tries_again(
    make: Any, hosts: Any, seconds: float, reason: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = timezone.now()
    hosts({})
    task = make()
    monkeypatch.setattr(timezone, "now", lambda: moment)
    Task.objects.filter(pk=task.pk).update(not_before_at=moment + timedelta(seconds=seconds), reason=reason)
    task.refresh_from_db()
    assert why.why_waiting(task) == sentence


def test_what_runs_or_has_ended_does_not_wait(make: Any, hosts: Any) -> None:
    [host] = hosts({})
    task = make()
    won = hub.claim(host)
    assert won and won.claim
    claim = won.claim
    steps: dict[str, Callable[[], object]] = {
        "assigned": bool, "running": lambda: hub.start(claim), "completed": lambda: hub.finish(claim, {}),
    }  # fmt: skip
    for words, step in steps.items():
        step()
        task.refresh_from_db()
        assert (task.get_state_display(), why.why_waiting(task)) == (words, "")
        assert why.refusal(task, host) == f"Task {task.pk} is {words}."


def test_a_parent_waits_as_its_first_waiting_child(family: Any, hosts: Any) -> None:
    [host] = hosts({})
    parent, [first, second, last] = family(3)
    assert why.why_waiting(parent) == "Place 1 in the queue: a host takes it in a moment."
    Task.objects.filter(pk__in=[first.pk, second.pk]).update(state=State.COMPLETED)
    Host.objects.filter(pk=host.pk).update(state="disabled")
    assert why.why_waiting(parent) == "All hosts are switched off."
    Task.objects.filter(pk=last.pk).update(state=State.COMPLETED)
    assert why.why_waiting(parent) == ""


def test_a_list_of_tasks_asks_for_the_hosts_once(make: Any, hosts: Any, django_assert_max_num_queries: Any) -> None:
    hosts({}, FULL, {"silent": 300})
    tasks = [make(f"task {number}") for number in range(5)]
    with django_assert_max_num_queries(5 + 2 * len(tasks)):
        told = why.why_all(tasks)
    places = [f"Place {number} in the queue: a host takes it in a moment." for number in range(1, 6)]
    assert [told[task.pk] for task in tasks] == places
