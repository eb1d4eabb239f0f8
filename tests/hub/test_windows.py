"""Maintenance windows: when they are open, that nothing starts in them, and how that is said."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.models import Channel, Host, Window
from hosts.queue import why, windows
from hosts.queue.choosing import refusals

JSON = "application/json"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("at", "end"), [
    ("2026-05-03T00:59", None), ("2026-05-03T01:00", "2026-05-03T02:30"), ("2026-05-03T02:29", "2026-05-03T02:30"),
    ("2026-05-03T02:30", None), ("2026-05-04T01:30", None), ("2026-01-04T01:30", None),  # an hour later in winter
    ("2026-01-04T02:00", "2026-01-04T03:30"),
])  # fmt: skip
def test_a_window_by_cron(at: str, end: str | None) -> None:
    window = Window(cron="0 3 * * SUN", time_zone="Europe/Berlin", minutes=90, host=Host(name="h"), reason="x")
    assert window.end_at(moment(at)) == (moment(end) if end else None)


@pytest.mark.parametrize(("at", "is_open"), [
    ("2026-05-03T00:59", False), ("2026-05-03T01:00", True), ("2026-05-03T01:59", True),
])  # fmt: skip
def test_a_window_once(at: str, is_open: bool) -> None:
    window = Window(starts_at=moment("2026-05-03T01:00"), ends_at=moment("2026-05-03T02:00"), host=Host(name="h"))
    assert bool(window.end_at(moment(at))) == is_open


@pytest.fixture
def span() -> dict[str, datetime]:
    return {"starts_at": timezone.now() - timedelta(minutes=1), "ends_at": timezone.now() + timedelta(hours=1)}


@pytest.mark.django_db
def test_nothing_starts_on_the_host(make: Any, host: Host, span: dict[str, Any]) -> None:
    task = make()
    window = windows.create(host=host, reason="New memory.", **span, by=None)
    assert hub.claim(host) is None
    [[name, said]] = refusals(task)
    assert name == "builder-1" and said.startswith("Host builder-1 is in maintenance until ")
    assert said.endswith("UTC: New memory.") and said in why.why_waiting(task)
    windows.delete(window, by=None)
    assert hub.claim(host) == task
    assert list(AuditEntry.objects.order_by("pk").values_list("act", flat=True)) == ["window.create", "window.delete"]


@pytest.mark.django_db
def test_nothing_starts_in_the_channel_and_what_runs_goes_on(
    make: Any, host: Host, default_channel: Channel, span: dict[str, Any]
) -> None:
    images = Channel.objects.create(name="images")
    host.channels.add(images)
    make()
    runs = hub.claim(host)
    closed, other = make(), make(channel=images)
    windows.create(channel=default_channel, reason="The mirror moves.", **span, by=None)
    assert hub.claim(host) == other
    assert hub.claim(host) is None
    assert why.why_waiting(closed).startswith("Channel default is in maintenance until ")
    assert runs and runs.claim and hub.start(runs.claim) and hub.finish(runs.claim, {})


@pytest.mark.django_db
@pytest.mark.parametrize(("given", "field", "sentence"), [
    ({"host": None}, "host", "either a host or a channel"), ({"ends_at": None}, "ends_at", "a later end"),
    ({"ends_at": moment("2020-01-01T00:00")}, "ends_at", "a later end"),
    ({"cron_line": "x"}, "cron", "fields"), ({"cron_line": "0 3 * * *"}, "minutes", "how many minutes"),
    ({"cron_line": "0 3 * * *", "minutes": 90000}, "minutes", "from 1 to 10080"),
    ({"cron_line": "0 3 * * *", "minutes": 9, "time_zone": "x"}, "time_zone", "no time zone"),
])  # fmt: skip
def test_what_is_wrong_is_told_by_its_field(
    host: Host, span: dict[str, Any], given: dict[str, Any], field: str, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence) as refused:
        windows.create(**{"host": host, "reason": "x", **span, **given}, by=None)
    assert refused.value.field == field


@pytest.mark.django_db
def test_the_page_and_the_api(make: Any, host: Host, client_of: Callable[[str], Client]) -> None:
    client = client_of("administrator")
    wrong = client.post("/channels/", {"host": "builder-1", "reason": "x", "cron": "9", "time_zone": "UTC"})
    assert wrong.status_code == 422 and "1 fields, not 5" in wrong.content.decode()
    wanted = {"host": "builder-1", "reason": "Weekly.", "cron": "0 3 * * SUN", "minutes": 60, "time_zone": "UTC"}
    assert client.post("/channels/", wanted)["Location"] == "/channels/"
    assert "0 3 * * SUN (UTC), 60 min" in client.get("/channels/").content.decode()
    unknown = client.post("/api/v1/windows/", {**wanted, "host": "nobody"}, content_type=JSON)
    assert (unknown.status_code, unknown.json()) == (
        400, {"host": ["There is no host named “nobody”; there is builder-1."]})  # fmt: skip
    made = client.post("/api/v1/windows/", wanted, content_type=JSON)
    assert made.status_code == 201 and made.json()["host"] == "builder-1"
    client.post("/channels/default/strategy/", {"strategy": "round-robin"})
    assert client.get("/api/v1/channels/default/").json()["strategy"] == "round-robin"
    wrong = client.patch("/api/v1/channels/default/", {"strategy": "x"}, content_type=JSON)
    assert (wrong.status_code, list(wrong.json())) == (400, ["strategy"])
    client.patch("/api/v1/channels/default/", {"strategy": "cache-affinity"}, content_type=JSON)
    assert Channel.objects.get().strategy == "cache-affinity"
