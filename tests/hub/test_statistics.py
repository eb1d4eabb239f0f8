"""Statistics: what is counted, once, and how it is read and exported."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hosts import hub, registry
from hosts.fleet import statistics
from hosts.fleet.statistics import Dimension
from hosts.models import Attempt, Host, PeriodCount, Task

pytestmark = pytest.mark.django_db
BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def ran(make: Any, host: Host, methods: dict[str, registry.Method]) -> Callable[..., Task]:
    """A task that ran here, submitted `hours` after the begin: waited and ran for so many seconds."""
    methods["work"] = registry.Method(
        name="work", about=lambda request: registry.About(package=request.get("package", ""), target="trixie")
    )

    def run(package: str, *, hours: float = 0, waited: float = 10, took: float = 60, well: bool = True) -> Task:
        task: Task = make(package, architecture="amd64", request={"package": package})
        claimed = hub.claim(host)
        assert claimed == task and claimed.claim and hub.start(claimed.claim)
        assert hub.finish(claimed.claim, {}) if well else hub.fail(claimed.claim, reason="No.", kind="build")
        submitted = BEGIN + timedelta(hours=hours)
        started = submitted + timedelta(seconds=waited)
        Task.objects.filter(pk=task.pk).update(created_at=submitted)
        Attempt.objects.filter(task=task).update(started_at=started, finished_at=started + timedelta(seconds=took))
        return task

    return run


@pytest.fixture
def counted(ran: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three attempts on the first of March, one on the second, which is today."""
    ran("figlet"), ran("figlet", waited=30, took=120), ran("jq", well=False), ran("dash", hours=24)
    monkeypatch.setattr(timezone, "now", lambda: BEGIN + timedelta(hours=30))
    assert (statistics.count(), statistics.count()) == (4, 0)


def test_every_attempt_is_counted_once_in_each_dimension(counted: None) -> None:
    days = PeriodCount.objects.filter(grain="day")
    rows = {(f"{row.day:%d}", row.dimension, row.name): (row.completed, row.failed) for row in days}
    first, second = (2, 1), (1, 0)
    common = [("all", ""), ("target", "trixie"), ("architecture", "amd64"), ("host", "builder-1"), ("method", "work")]
    expected = {(day, *key): value for key in common for day, value in (("01", first), ("02", second))}
    expected |= {
        ("01", "package", "figlet"): (2, 0),
        ("01", "package", "jq"): (0, 1),
        ("02", "package", "dash"): (1, 0),
    }
    assert rows == expected
    months = PeriodCount.objects.filter(grain="month", dimension="package").order_by("name")
    assert [(f"{row.day}", row.name, row.completed + row.failed) for row in months] == [
        ("2026-03-01", "dash", 1), ("2026-03-01", "figlet", 2), ("2026-03-01", "jq", 1)]  # fmt: skip


def test_what_it_says(counted: None) -> None:
    yesterday, today = statistics.by_day(2)
    assert (yesterday.name, yesterday.attempts, yesterday.completed, today.attempts) == ("2026-03-01", 3, 2, 1)
    assert yesterday.success == pytest.approx(2 / 3)
    assert (round(yesterday.mean_wait, 1), yesterday.longest_wait) == (16.7, 30)
    assert (yesterday.mean_run, yesterday.longest_run) == (80, 120)
    assert [(one.name, one.attempts) for one in statistics.by_name(Dimension.PACKAGE, 30, 2)] == [
        ("figlet", 2), ("dash", 1)]  # fmt: skip
    assert [one.attempts for one in statistics.by_day(4)] == [0, 0, 3, 1]
    total = statistics.totals(statistics.by_day(4))
    assert (total.attempts, total.longest_run) == (4, 120)
    assert statistics.totals([]).success is None


@pytest.mark.parametrize(
    "days, found", [(1, ["c"]), (2, ["b", "c"]), (18, ["b", "c"]), (19, ["a", "b", "c"]), (365, ["a", "b", "c"])]
)
def test_days_before_the_first_whole_month_count_as_days(
    ran: Any, monkeypatch: pytest.MonkeyPatch, days: int, found: list[str]
) -> None:
    """a ended on 28 February, b on 17 March, c on 18 March, which is today; a has another one long before."""
    for package, hours in (("a", -28), ("a", -24 * 380), ("b", 16 * 24), ("c", 17 * 24)):
        ran(package, hours=hours)
    monkeypatch.setattr(timezone, "now", lambda: BEGIN + timedelta(days=17))
    assert statistics.count() == 4
    names = statistics.by_name(Dimension.PACKAGE, days, 10)
    assert [(one.name, one.attempts) for one in names] == [(name, 1) for name in found]


def test_a_retry_waits_from_the_end_of_the_attempt_before_and_a_dependant_from_what_it_needs(
    ran: Any, make: Any, host: Host
) -> None:
    needed = ran("first", took=100)
    Task.objects.filter(pk=needed.pk).update(finished_at=BEGIN + timedelta(seconds=110))
    task = make("second", architecture="amd64", dependencies=[needed])
    Task.objects.filter(pk=task.pk).update(created_at=BEGIN)
    for number, begin in ((1, 115), (2, 200)):
        Attempt.objects.create(
            task=task, number=number, host=host, outcome="failed", finished_at=BEGIN + timedelta(seconds=begin + 60)
        )
        Attempt.objects.filter(task=task, number=number).update(started_at=BEGIN + timedelta(seconds=begin))
    statistics.count()
    [whole] = PeriodCount.objects.filter(dimension="all", grain="day")
    assert (whole.waited, whole.longest_wait) == (10 + 5 + 25, 25)


def test_more_than_a_batch_takes_more_ticks(ran: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "BATCH", 2)
    ran("a"), ran("b"), ran("c")
    assert [statistics.count() for _ in range(3)] == [2, 1, 0]
    assert PeriodCount.objects.get(dimension="all", grain="day").completed == 3


def test_the_page_costs_the_same_for_many_days(counted: None, client_of: Callable[[str], Client]) -> None:
    client = client_of("viewer")
    costs = []
    for days, by in ((7, "all"), (365, "all"), (7, "package"), (365, "host")):
        with CaptureQueriesContext(connection) as asked:
            page = client.get(f"/statistics/?days={days}&by={by}").content.decode()
        costs.append(len(asked))
        assert "Attempts by day: 3 completed, 1 failed, 0 lost in all." in page
    assert max(costs) <= 7


def test_exports(counted: None, client_of: Callable[[str], Client]) -> None:
    client = client_of("viewer")
    PeriodCount.objects.filter(name="jq").update(name="=1+1")
    told = client.get("/statistics/export/csv/?by=package")
    rows = {row["name"]: row for row in csv.DictReader(told.content.decode().splitlines())}
    assert set(rows) == {"figlet", "dash", "'=1+1"}
    assert (rows["figlet"]["success"], rows["figlet"]["mean_run"], rows["'=1+1"]["failed"]) == ("1.0", "90.0", "1")
    days = client.get("/statistics/export/json/?by=all&days=7").json()
    assert (days["by"], days["days"], len(days["rows"]), days["rows"][0]["name"]) == ("all", 7, 7, "2026-03-02")
    assert client.get("/statistics/export/json/?by=nonsense").json()["by"] == "all"
    api = client.get("/api/v1/statistics/?by=package&days=90").json()
    assert [row["name"] for row in api["rows"]] == ["figlet", "=1+1", "dash"]
    assert client.get("/api/v1/statistics/?by=nonsense").status_code == 400
