"""History: a sample a minute, means of longer times later, and charts of all of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from debatomic import charts
from hosts import hub
from hosts.fleet import samples
from hosts.models import Host, HostSample, QueueSample
from hosts.models.sample import DAY, HOUR, MINUTE, TEN_MINUTES

pytestmark = pytest.mark.django_db
SAID = {"load": [1.5, 1, 1], "memory": {"total": 100, "free": 25}, "disk": {"total": 10, "free": 9}, "running": 2}


def at(moment: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: moment)


def test_a_host_is_sampled_once_a_minute(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)
    for seconds in range(0, 150, 2):
        at(begin + timedelta(seconds=seconds), monkeypatch)
        hub.report(Host.objects.get(), dict(SAID))
    rows = list(HostSample.objects.order_by("at").values_list("at", "load", "memory", "disk", "running"))
    assert [row[0].minute for row in rows] == [0, 1, 2]
    assert rows[0][1:] == (1.5, 0.75, 0.1, 2)


@pytest.mark.parametrize("said", [{}, {"load": "high"}, {"memory": {"total": 0, "free": 0}}, {"load": ["x"]}])
def test_a_report_without_shape_is_sampled_as_nothing(host: Host, said: dict[str, Any]) -> None:
    hub.report(host, said)
    sample = HostSample.objects.get()
    assert (sample.load, sample.memory, sample.disk, sample.running) == (0, 0, 0, 0)


def test_the_queue_is_sampled_by_architecture(make: Any, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    make(architecture="amd64")
    assert hub.claim(host)
    make(architecture="amd64"), make(architecture="amd64"), make()
    later = timezone.now() + timedelta(seconds=90)
    at(later, monkeypatch)
    assert (samples.note_queue(), samples.note_queue()) == (True, False)
    rows = {row.architecture: row for row in QueueSample.objects.all()}
    assert {name: (row.waiting, row.running) for name, row in rows.items()} == {"": (1, 0), "amd64": (2, 1)}
    assert 85 < rows["amd64"].oldest < 95


def filled(model: Any, begin: datetime, minutes: int, **columns: Any) -> None:
    model.objects.bulk_create(
        model(at=begin + timedelta(minutes=minute), **{**columns, "running": minute}) for minute in range(minutes)
    )


def test_old_samples_become_means_and_then_go(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    filled(HostSample, begin, 120, host=host, load=1, memory=0.5, disk=0.5)
    for days, rows in {1: 120, 2: 12, 10: 2, 95: 0}.items():
        at(begin + timedelta(days=days), monkeypatch)
        while samples.thin():
            pass
        assert HostSample.objects.count() == rows, days
        if days == 2:
            assert [one.running for one in HostSample.objects.order_by("at")][:3] == [4.5, 14.5, 24.5]
            assert {one.grain for one in HostSample.objects.all()} == {TEN_MINUTES}
        if days == 10:
            assert [(one.at.hour, one.grain, one.running) for one in HostSample.objects.order_by("at")] == [
                (0, HOUR, 29.5), (1, HOUR, 89.5)]  # fmt: skip


def test_the_queue_is_kept_by_day_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    filled(QueueSample, begin, 20, architecture="", waiting=4)
    QueueSample.objects.create(at=begin, architecture="arm64", waiting=10, running=0)
    at(begin + timedelta(days=400), monkeypatch)
    while samples.thin():
        pass
    rows = {one.architecture: (one.grain, one.waiting) for one in QueueSample.objects.all()}
    assert rows == {"": (DAY, 4), "arm64": (DAY, 1)}  # it had no tasks in nine of ten minutes


def test_one_tick_thins_one_span_only(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    filled(HostSample, begin, 60, host=host, load=1, memory=0.5, disk=0.5)
    at(begin + timedelta(days=3), monkeypatch)
    assert samples.thin() == 10
    assert HostSample.objects.filter(grain=MINUTE).count() == 50


def test_the_page_and_the_api_show_them(host: Host, client_of: Callable[[str], Client]) -> None:
    client = client_of("viewer")
    now = timezone.now()
    for minute in (3, 2, 1):
        HostSample.objects.create(
            host=host, at=now - timedelta(minutes=minute), load=minute, memory=0.25, disk=0.5, running=1
        )
    page = client.get(f"/hosts/{host}/?span=hours").content.decode()
    assert "Load: 1 at the end, from 1 to 3, 2 on average." in page
    assert "Memory: 25 % at the end" in page and page.count("<polyline") == 4
    told = client.get(f"/api/v1/hosts/{host}/history/?span=week").json()
    assert [one["load"] for one in told] == [3, 2, 1]
    assert client.get(f"/api/v1/hosts/{host}/history/?span=ever").status_code == 400
    HostSample.objects.all().delete()
    assert client.get(f"/hosts/{host}/").content.decode().count("Nothing was measured in this time.") == 3


@pytest.mark.parametrize(("value", "top"), [(0, 1), (0.3, 0.5), (1, 1), (1.1, 2), (2.4, 2.5), (7, 10), (480, 500)])
def test_scales_end_at_round_numbers(value: float, top: float) -> None:
    assert charts.round_up(value) == pytest.approx(top)


def test_a_gap_parts_a_line() -> None:
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    points = [(begin + timedelta(minutes=minute), 1.0) for minute in (0, 1, 2, 30, 31, 50)]
    line = charts.Line(name="Load", points=points)
    end = begin + timedelta(hours=1)
    chart = charts.line_chart("Load", [line], begin=begin, end=end, step=timedelta(minutes=1))
    assert [part.count(",") for part in chart.drawn[0].parts] == [3, 2, 2]
    assert chart.drawn[0].parts[0].startswith("0.0,0.0 16.7,0.0")
