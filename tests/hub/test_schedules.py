"""Schedules: lines of cron as a table, each time exactly once, and what people may do with them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from debatomic.access.models import AuditEntry, RoleBinding, User
from debatomic.tools.errors import InfrastructureError, InputError
from hosts import hub
from hosts.models import Channel, Occurrence, Schedule, Task
from hosts.schedule import cron, orders, schedules
from hosts.schedule.orders import Make, Order

SUNDAY = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)  # summer time begins in Berlin at 1:00 UTC


@pytest.mark.parametrize(("line", "zone", "after", "found"), [
    ("30 4 * * *", "UTC", "2026-05-01T04:29", "2026-05-01T04:30"),
    ("30 4 * * *", "UTC", "2026-05-01T04:30", "2026-05-02T04:30"),
    ("30 4 * * MON-FRI", "UTC", "2026-05-01T12:00", "2026-05-04T04:30"),
    ("0 9 * * *", "Europe/Berlin", "2026-01-10T12:00", "2026-01-11T08:00"),
    ("0 9 * * *", "Europe/Berlin", "2026-07-10T12:00", "2026-07-11T07:00"),
    ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-29T01:00"),  # 2:30 is skipped: at once after
    ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30", "2026-10-26T01:30"),  # the second 2:30 is no second time
    ("0 0 29 2 *", "UTC", "2026-05-01T00:00", "2028-02-29T00:00"),
    ("*/15 * * * *", "Asia/Kolkata", "2026-05-01T00:01", "2026-05-01T00:15"),
])  # fmt: skip
def test_the_next_time(line: str, zone: str, after: str, found: str) -> None:
    begin, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (after, found))
    assert cron.following(line, zone, begin) == end


@pytest.mark.parametrize(("line", "zone", "field", "sentence"), [
    ("every day", "UTC", "cron", "has 2 fields, not 5"), ("61 * * * *", "UTC", "cron", "its minute cannot be that"),
    ("* * * * XYZ", "UTC", "cron", "its day-of-week"), ("0 0 31 2 *", "UTC", "cron", "its day-of-month"),
    ("@daily", "UTC", "cron", "1 fields"), ("0 0 0 * * *", "UTC", "cron", "6 fields"),
    ("0 0 * * *", "Mars/Base", "time_zone", "no time zone “Mars/Base”"), ("0 0 * * *", "../x", "time_zone", "no time"),
])  # fmt: skip
def test_a_line_that_is_none(line: str, zone: str, field: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as refused:
        cron.following(line, zone, SUNDAY)
    assert refused.value.field == field


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch, methods: object, default_channel: Channel) -> Iterator[dict[str, Any]]:
    """An order `work`; what is put into `trouble` is raised when it is prepared."""
    world: dict[str, Any] = {"trouble": None, "meanwhile": lambda: None}

    def prepare(parameters: Mapping[str, str], by: Any) -> Make:
        if world["trouble"]:
            raise world["trouble"]
        world["meanwhile"]()
        return lambda: hub.submit("work", parameters["what"], request={}, channel=default_channel, by=by)

    made = Order(name="work", title="Work", right="builds.submit", needed={"what": "What."}, optional={"how": "How."},
                 prepare=prepare)  # fmt: skip
    monkeypatch.setattr(orders, "_orders", {"work": made})
    yield world


@pytest.fixture
def nightly(order: object, users: dict[str, User]) -> Schedule:
    return schedules.create(name="nightly", order="work", parameters={"what": "night"}, cron_line="0 1 * * *",
                            by=users["packager"])  # fmt: skip


def due(schedule: Schedule, ago: timedelta = timedelta(minutes=1)) -> None:
    Schedule.objects.filter(pk=schedule.pk).update(next_at=timezone.now() - ago)


@pytest.mark.django_db
class TestTimes:
    def test_nothing_happens_before_its_time(self, nightly: Schedule) -> None:
        assert schedules.run_due() == 0
        assert not Occurrence.objects.exists()

    def test_a_time_makes_one_task_of_its_owner(self, nightly: Schedule, users: dict[str, User]) -> None:
        due(nightly)
        assert [schedules.run_due(), schedules.run_due()] == [1, 0]
        task = Task.objects.get()
        assert (task.title, task.created_by, task.share) == ("night", users["packager"], users["packager"].pk)
        assert Occurrence.objects.get().task == task
        nightly.refresh_from_db()
        assert nightly.next_at and nightly.next_at > timezone.now()

    def test_what_was_missed_is_made_up_for_once(self, nightly: Schedule) -> None:
        due(nightly, timedelta(days=9))
        assert [schedules.run_due(), schedules.run_due()] == [1, 0]
        assert Task.objects.count() == 1

    def test_once_is_once(self, order: object, users: dict[str, User]) -> None:
        later = timezone.now() + timedelta(hours=1)
        once = schedules.create(name="once", order="work", parameters={"what": "x"}, at=later, by=users["packager"])
        due(once)
        assert [schedules.run_due(), schedules.run_due()] == [1, 0]
        once.refresh_from_db()
        assert once.next_at is None

    def test_a_disabled_one_rests_and_makes_up_for_nothing(self, nightly: Schedule, users: dict[str, User]) -> None:
        schedules.switch(nightly, enabled=False, by=users["packager"])
        due(nightly)
        assert schedules.run_due() == 0
        schedules.switch(nightly, enabled=True, by=users["packager"])
        assert schedules.run_due() == 0
        assert list(AuditEntry.objects.order_by("pk").values_list("act", flat=True)) == [
            "schedule.create", "schedule.disable", "schedule.enable"]  # fmt: skip

    def test_a_refusal_is_kept(self, nightly: Schedule, order: dict[str, Any]) -> None:
        order["trouble"] = InputError("There is no such package.")
        due(nightly)
        assert schedules.run_due() == 0
        assert Occurrence.objects.get().reason == "There is no such package."

    def test_a_broken_order_keeps_no_other_from_its_time(self, nightly: Schedule, order: dict[str, Any]) -> None:
        order["trouble"] = ZeroDivisionError()
        due(nightly)
        assert schedules.run_due() == 0
        assert Occurrence.objects.get().reason == "Internal error: ZeroDivisionError."

    def test_a_network_that_is_away_is_waited_for(self, nightly: Schedule, order: dict[str, Any]) -> None:
        order["trouble"] = InfrastructureError("The archive does not answer.")
        due(nightly)
        assert schedules.run_due() == 0
        order["trouble"] = None
        assert [schedules.run_due(), schedules.run_due()] == [1, 0]

    def test_but_not_for_ever(self, nightly: Schedule, order: dict[str, Any]) -> None:
        order["trouble"] = InfrastructureError("The archive does not answer.")
        due(nightly, timedelta(hours=2))
        schedules.run_due()
        assert Occurrence.objects.get().reason == "The archive does not answer."

    def test_who_may_no_more_submits_no_more(self, nightly: Schedule) -> None:
        RoleBinding.objects.all().delete()
        due(nightly)
        assert schedules.run_due() == 0
        assert Occurrence.objects.get().reason == "packager may not submit a work any more."

    def test_another_tick_that_was_faster(self, nightly: Schedule, order: dict[str, Any]) -> None:
        """The second tick runs whole while the first one still asks the archive."""
        nested: list[int] = []

        def second() -> None:
            order["meanwhile"] = lambda: None
            nested.append(schedules.run_due())

        order["meanwhile"] = second
        due(nightly)
        assert (schedules.run_due(), nested) == (0, [1])
        assert Task.objects.count() == 1

    def test_a_tick_that_died_leaves_it_to_the_next(self, nightly: Schedule, order: dict[str, Any]) -> None:
        order["trouble"] = KeyboardInterrupt()
        due(nightly)
        with pytest.raises(KeyboardInterrupt):
            schedules.run_due()
        order["trouble"] = None
        assert [schedules.run_due(), schedules.run_due()] == [1, 0]


def test_two_ticks_at_once_make_one_task(transactional_db: None, order: object, users: dict[str, User]) -> None:
    for number in range(5):
        name = f"s{number}"
        due(schedules.create(name=name, order="work", parameters={"what": name}, cron_line="0 1 * * *",
                             by=users["packager"]))  # fmt: skip
    together = threading.Barrier(1 if connection.vendor == "sqlite" else 4)

    def tick() -> None:
        together.wait()
        try:
            schedules.run_due()
        finally:
            if connection.vendor != "sqlite":
                connections.close_all()

    threads = [threading.Thread(target=tick) for _ in range(4)]
    for thread in threads:
        thread.run() if connection.vendor == "sqlite" else thread.start()
    for thread in threads if connection.vendor != "sqlite" else []:
        thread.join()
    assert sorted(Task.objects.values_list("title", flat=True)) == [f"s{number}" for number in range(5)]


@pytest.mark.django_db
@pytest.mark.parametrize(("given", "field", "sentence"), [
    ({"cron_line": "x"}, "cron", "fields"), ({"cron_line": ""}, "cron", "either a line of cron or a time"),
    ({"time_zone": "Nowhere"}, "time_zone", "no time zone"), ({"order": "x"}, "order", "no order “x”; there is work"),
    ({"parameters": {}}, "parameters", "A work needs “what”: What."),
    ({"parameters": {"what": "a", "x": "b"}}, "parameters", "A work has no “x”; it has what, how."),
    ({"parameters": {"what": 3}}, "parameters", "texts by name"), ({"name": "nightly"}, "name", "already"),
    ({"cron_line": "", "at": datetime(2020, 1, 1, tzinfo=UTC)}, "at", "past"),
])  # fmt: skip
def test_what_cannot_be_is_refused_with_its_field(
    nightly: Schedule, users: dict[str, User], given: dict[str, Any], field: str, sentence: str
) -> None:
    wanted = {"name": "new", "order": "work", "parameters": {"what": "a"}, "cron_line": "0 1 * * *", **given}
    with pytest.raises(InputError, match=sentence) as refused:
        schedules.create(**wanted, by=users["packager"])
    assert refused.value.field == field
    assert Schedule.objects.count() == 1


@pytest.mark.django_db
def test_the_pages(order: object, client_of: Callable[[str], Client], users: dict[str, User]) -> None:
    client = client_of("packager")
    empty = client.get("/schedules/").content.decode()
    assert "No schedules yet." in empty
    wrong = client.post("/schedules/new/?order=work", {"name": "n", "cron": "x", "time_zone": "UTC", "p-what": "w"})
    assert wrong.status_code == 422 and "1 fields, not 5" in wrong.content.decode()
    wanted = {"name": "n", "cron": "30 4 * * MON-FRI", "time_zone": "Europe/Berlin", "p-what": "w"}
    assert client.post("/schedules/new/?order=work", wanted)["Location"] == "/schedules/n/"
    assert client.post("/schedules/n/run/")["Location"] == Task.objects.get().get_absolute_url()
    page = client.get("/schedules/n/").content.decode()
    assert "30 4 * * MON-FRI (Europe/Berlin)" in page and ">w</a>" in page
    assert client_of("viewer").post("/schedules/n/delete/").status_code == 403
    assert "Delete" not in client_of("viewer").get("/schedules/n/").content.decode()
    assert client_of("release-manager").post("/schedules/n/delete/")["Location"] == "/schedules/"
    assert not Schedule.objects.exists() and Task.objects.count() == 1


@pytest.mark.django_db
def test_the_api(order: object, client_of: Callable[[str], Client]) -> None:
    client, address = client_of("packager"), "/api/v1/schedules/"
    wanted = {"name": "n", "order": "work", "parameters": {"what": "w"}, "cron": "0 25 * * *"}
    wrong = client.post(address, wanted, content_type="application/json")
    assert (wrong.status_code, list(wrong.json())) == (400, ["cron"])
    made = client.post(address, {**wanted, "cron": "0 5 * * *"}, content_type="application/json")
    assert made.status_code == 201 and made.json()["next_at"]
    assert client.post(f"{address}n/disable/").json()["enabled"] is False
    assert client.post(f"{address}n/run/").json()["task"] == Task.objects.get().pk
    assert len(client.get(f"{address}n/occurrences/").json()) == 1
    assert client_of("viewer").delete(f"{address}n/").status_code == 403
    assert client.delete(f"{address}n/").status_code == 204


@pytest.mark.django_db
class TestEditing:
    @pytest.fixture
    def client(self, users: dict[str, User], client_of: Callable[[str], Client]) -> Client:
        return client_of("packager")

    def test_the_next_time_follows_from_what_is_changed(self, nightly: Schedule, client: Client) -> None:
        before = nightly.next_at
        told = {"cron": "15 5 * * *", "time_zone": "Europe/Berlin"}
        answer = client.patch(f"/api/v1/schedules/{nightly}/", told, content_type="application/json")
        assert answer.status_code == 200, answer.content
        nightly.refresh_from_db()
        assert (nightly.cron, nightly.time_zone) == ("15 5 * * *", "Europe/Berlin")
        assert nightly.next_at != before and nightly.next_at and nightly.next_at > timezone.now()
        assert nightly.next_at.astimezone(ZoneInfo("Europe/Berlin")).hour == 5
        assert AuditEntry.objects.filter(act="schedule.edit").count() == 1

    def test_a_time_makes_it_run_once(self, nightly: Schedule, client: Client) -> None:
        at = (timezone.now() + timedelta(days=3)).replace(microsecond=0)
        told = {"at": at.isoformat()}
        assert client.patch(f"/api/v1/schedules/{nightly}/", told, content_type="application/json").status_code == 200
        nightly.refresh_from_db()
        assert (nightly.cron, nightly.next_at) == ("", at)

    @pytest.mark.parametrize(("told", "field"), [
        ({"cron": "99 * * * *"}, "cron"), ({"cron": "* * *"}, "cron"), ({"cron": ""}, "cron"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"), ({"order": "nothing"}, "order"),
        ({"parameters": {"unknown": "x"}}, "parameters"), ({"at": "2001-01-01T00:00Z"}, "at"),
        ({"name": "other"}, "name"), ({"at": "soon"}, "at"),
    ])  # fmt: skip
    def test_what_is_wrong_is_refused_at_its_field(
        self, nightly: Schedule, client: Client, told: dict[str, Any], field: str
    ) -> None:
        answer = client.patch(f"/api/v1/schedules/{nightly}/", told, content_type="application/json")
        assert (answer.status_code, list(answer.json())) == (400, [field])
        before = (nightly.cron, nightly.time_zone, nightly.next_at, nightly.parameters)
        nightly.refresh_from_db()
        assert (nightly.cron, nightly.time_zone, nightly.next_at, nightly.parameters) == before

    def test_only_who_may_changes_it(self, nightly: Schedule, client_of: Callable[[str], Client]) -> None:
        told = {"cron": "15 5 * * *"}
        answer = client_of("viewer").patch(f"/api/v1/schedules/{nightly}/", told, content_type="application/json")
        assert answer.status_code == 403
        assert client_of("viewer").get(f"/schedules/{nightly}/edit/").status_code == 403

    def test_the_page_changes_it(self, nightly: Schedule, client: Client) -> None:
        page = client.get(f"/schedules/{nightly}/edit/").content.decode()
        assert nightly.cron in page and "/schedules/-/times/" in page
        fields = {f"p-{name}": value for name, value in nightly.parameters.items()}
        refused = client.post(f"/schedules/{nightly}/edit/", {**fields, "cron": "* *", "time_zone": "UTC"})
        assert refused.status_code == 422 and "has 2 fields, not 5" in refused.content.decode()
        changed = client.post(f"/schedules/{nightly}/edit/", {**fields, "cron": "7 7 * * *", "time_zone": "UTC"})
        assert changed.status_code == 302, changed.content
        nightly.refresh_from_db()
        assert nightly.cron == "7 7 * * *"
        assert client.get(f"/schedules/{nightly}/").content.decode().count("07:07 UTC") >= 4

    def test_the_next_times_are_shown_while_one_writes(self, nightly: Schedule, client: Client) -> None:
        shown = client.get("/schedules/-/times/", {"cron": "30 4 * * *", "time_zone": "Europe/Berlin"})
        assert shown.content.decode().count("04:30 CE") == 5
        wrong = client.get("/schedules/-/times/", {"cron": "30 4 *", "time_zone": "UTC"})
        assert "has 3 fields, not 5" in wrong.content.decode()
        told = client.get("/api/v1/schedules/-/times/", {"cron": "30 4 * * *", "time_zone": "Europe/Berlin"}).json()
        assert len(told["times"]) == 5 and all("T04:30:00+0" in time for time in told["times"])
        wrong = client.get("/api/v1/schedules/-/times/", {"cron": "x"})
        assert (wrong.status_code, list(wrong.json())) == (400, ["cron"])
