"""Whose tasks the reaper frees: not those of hosts that could not be heard because the hub was away."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from hosts import hub
from hosts.models import Channel, Host, State, Task, WebPresence

pytestmark = pytest.mark.django_db


@pytest.fixture
def other(default_channel: Channel) -> Host:
    made = Host.objects.create(name="other", architectures=["amd64"], capacity=2)
    made.channels.add(default_channel)
    return made


def running(task: Task, host: Host) -> Task:
    claimed = hub.claim(host)
    assert claimed and claimed.claim and claimed.pk == task.pk
    hub.start(claimed.claim)
    return task


def state(task: Task) -> str:
    return Task.objects.get(pk=task.pk).state


def seen(host: Host, seconds: float) -> Host:
    """The host, last heard so long ago, and with leases that ran out meanwhile."""
    moment = timezone.now() - timedelta(seconds=seconds)
    Host.objects.filter(pk=host.pk).update(seen_at=moment)
    Task.objects.filter(host=host).update(lease_ends_at=moment + timedelta(seconds=60))
    host.refresh_from_db()
    return host


def test_a_hub_that_was_away_takes_nothing_from_hosts_that_work_on(make: Any, host: Host, other: Host) -> None:
    hosts = {"near": host, "far": other, "to be canceled": other, "dead before": host}
    tasks = [running(make(title), of) for title, of in hosts.items()]
    hub.cancel(tasks[2], None)
    dead = Host.objects.create(name="dead", capacity=2)
    Task.objects.filter(pk=tasks[3].pk).update(host=dead)
    for one in (host, other):
        seen(one, 100)
    seen(dead, 200)
    assert hub.reap() == 2
    assert [state(one) for one in tasks] == [State.RUNNING, State.RUNNING, State.CANCELED, State.FREE]
    hub.report(host, {})  # the first that is back
    assert hub.reap() == 0
    far = Task.objects.get(title="far")
    assert far.lease_ends_at and far.lease_ends_at > timezone.now() + timedelta(seconds=50)
    Task.objects.filter(title="far").update(lease_ends_at=timezone.now() - timedelta(seconds=1))
    assert hub.reap() == 1  # it did not come


def test_while_the_web_is_away_far_hosts_keep_their_tasks(make: Any, host: Host, other: Host) -> None:
    Host.objects.filter(pk=host.pk).update(is_hub=True)
    titles = {"near": host, "far": other, "to be canceled": other}
    near, far, canceled = (running(make(title), of) for title, of in titles.items())
    hub.cancel(canceled, None)
    began = timezone.now()
    WebPresence.objects.note(began - timedelta(seconds=100))
    seen(other, 100)
    hub.report(host, {})  # on the hub's machine, in the database
    Task.objects.filter(pk=near.pk).update(lease_ends_at=began - timedelta(seconds=1))
    assert hub.reap() == 2
    assert [state(one) for one in (near, far, canceled)] == [State.FREE, State.RUNNING, State.CANCELED]
    WebPresence.objects.note(began)  # back, and far hosts may not have noticed
    assert hub.reap() == 0
    hub.beat(Task.objects.get(pk=far.pk).claim)  # type: ignore[arg-type]
    Task.objects.filter(pk=far.pk).update(lease_ends_at=began)
    assert hub.reap() == 0
    WebPresence.objects.update(since_at=began - timedelta(seconds=61))
    assert hub.reap() == 1


@pytest.mark.parametrize(
    ("notes", "lasted"),
    [([], True), ([-100], False), ([-5], True), ([-300, -100, -90, -1], False), ([-70, -60, -45, -30, -15, -1], True),
     ([-200, -70, -60, -45, -30, -15, -1], True), ([-200, -50, -45, -30, -15, -1], False)],
)  # fmt: skip
def test_how_long_the_web_was_there_without_a_gap(notes: list[int], lasted: bool) -> None:
    moment = timezone.now()
    for seconds in notes:
        WebPresence.objects.note(moment + timedelta(seconds=seconds))
    assert WebPresence.objects.has_lasted(timedelta(seconds=60), moment) is lasted
