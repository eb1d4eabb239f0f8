"""What is wrong with a request is answered with the field and the reason, and nothing is made or changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from builds.models import Build, Target
from debatomic.access.models import User
from hosts import hub
from hosts.models import Channel, Host, Registration, Schedule, State, Task, Window
from tests import scene

A = "/api/v1/"
NIGHTLY = {"name": "nightly", "order": "build", "parameters": {"source": "jq", "target": "trixie"}}
WINDOW = {"host": "builder-1", "reason": "x", "minutes": 10}


@pytest.fixture
def administrator(client_of: Callable[[str], Client]) -> Client:
    return client_of("administrator")


@pytest.fixture
def ended(target: Target, users: dict[str, User]) -> Build:
    made = scene.build(users["packager"], target)
    made.cancel(by=users["packager"])
    return made


@pytest.mark.parametrize(("method", "path", "told", "field", "reason"), [
    ("post", "windows/", {**WINDOW, "host": "nobody", "cron": "0 1 * * *"}, "host", "no host named “nobody”"),
    ("post", "windows/", {**WINDOW, "cron": "0 1 * *"}, "cron", "has 4 fields, not 5"),
    ("post", "windows/", {**WINDOW, "cron": "0 1 * * *", "time_zone": "Mars"}, "time_zone", "no time zone “Mars”"),
    ("post", "schedules/", {**NIGHTLY, "cron": "61 1 * * *"}, "cron", "is not a line of cron: its minute"),
    ("post", "schedules/", {**NIGHTLY, "cron": "0 0 31 2 *"}, "cron", "its day-of-month cannot be"),
    ("post", "schedules/", {**NIGHTLY, "cron": "0 1 * * *", "order": "tea"}, "order", "no order “tea”"),
    ("patch", "hosts/builder-1/", {"architectures": ["x86 64"]}, "architectures", "is no architecture"),
    ("patch", "hosts/builder-1/", {"architectures": []}, "architectures", "at least one"),
    ("patch", "hosts/builder-1/", {"capacity": -1}, "capacity", "greater than or equal to 0.01"),
    ("patch", "hosts/builder-1/", {"channels": ["nowhere"]}, "channels", "name=nowhere"),
    ("post", "hosts/builder-1/maintenance/", {}, "reason", "Say what the maintenance is for"),
    ("post", "registrations/", {"hours": 1000}, "hours", "less than or equal to 168"),
    ("post", "registrations/", {"architectures": ["all"]}, "architectures", "is no architecture"),
    ("patch", "channels/default/", {"strategy": "luck"}, "strategy", "not a valid choice"),
    ("post", "tasks/cancel/", {"ids": [999999]}, "ids", "There is no task 999999"),
    ("post", "tasks/cancel/", {"filter": {"colour": "red"}}, "filter", "There is no “colour”"),
])  # fmt: skip
def test_the_field_and_the_reason(
    administrator: Client, target: Target, host: Host, method: str, path: str, told: Any, field: str, reason: str
) -> None:
    answer = getattr(administrator, method)(f"{A}{path}", told, content_type="application/json")
    assert answer.status_code == 400, answer.content
    assert list(answer.json()) == [field] and reason in str(answer.json()[field])
    assert not Window.objects.exists() and not Schedule.objects.exists() and not Registration.objects.exists()
    host.refresh_from_db()
    assert (host.architectures, host.capacity, host.state) == (["amd64"], 2, "enabled")


@pytest.mark.parametrize(("told", "field", "reason"), [
    ({"weight": -1}, "weight", "above 0, not -1"), ({"weight": "heavy"}, "weight", "valid number"),
    ({"priority": -1}, "priority", "greater than or equal to 0"), ({"priority": 5000}, "priority", "less than"),
    ({"limits": {"memory": -5}}, "limits", "memory"), ({"limits": {"luck": 1}}, "limits", "luck"),
    ({"retries": {"build": {"attempts": -1}}}, "retries", "attempts"), ({"channel": "x"}, "channel", "named “x”"),
    ({"after": [999999]}, "after", "999999"), ({"after": ["x"]}, "after", "pk value"),
])  # fmt: skip
def test_wrong_wishes(administrator: Client, ended: Build, told: Any, field: str, reason: str) -> None:
    answer = administrator.post(f"{A}builds/{ended.pk}/resubmit/", told, content_type="application/json")
    assert answer.status_code == 400, answer.content
    assert list(answer.json()) == [field] and reason in str(answer.json()[field])
    assert Build.objects.count() == 1


def test_nothing_waits_for_what_never_completes(administrator: Client, ended: Build) -> None:
    again = f"{A}builds/{ended.pk}/resubmit/"
    answer = administrator.post(again, {"after": [ended.pk]}, content_type="application/json")
    assert (answer.status_code, list(answer.json())) == (400, ["after"])
    assert "it is canceled" in answer.json()["after"][0]


def test_a_weight_is_taken_from_who_may(client_of: Callable[[str], Client], ended: Build) -> None:
    again = f"{A}builds/{ended.pk}/resubmit/"
    refused = client_of("packager").post(again, {"weight": 0.1}, content_type="application/json")
    assert (refused.status_code, list(refused.json())) == (400, ["weight"])
    made = client_of("administrator").post(again, {"weight": 3}, content_type="application/json")
    assert made.status_code == 201
    assert Build.objects.get(pk=made.json()["id"]).task.children.get().weight == 3


def test_a_circle_of_dependencies_is_shown(administrator: Client, target: Target, users: dict[str, User]) -> None:
    first, second = (scene.build(users["packager"], target).task.children.get() for _ in range(2))
    assert administrator.post(
        f"{A}tasks/{first.pk}/dependencies/", {"dependencies": [second.pk]}, content_type="application/json"
    ).status_code == 200  # fmt: skip
    answer = administrator.post(
        f"{A}tasks/{second.pk}/dependencies/", {"dependencies": [first.pk]}, content_type="application/json"
    )
    assert (answer.status_code, list(answer.json())) == (400, ["dependencies"])
    assert f"{second.pk} → {first.pk} → {second.pk}" in answer.json()["dependencies"][0]
    assert not second.dependencies.exists()


@pytest.mark.parametrize("path", ["hosts/nobody/", "hosts/nobody/history/"])
def test_an_unknown_host_is_not_found(administrator: Client, path: str) -> None:
    answer = administrator.get(f"{A}{path}")
    assert answer.status_code == 404 and answer.json()["detail"]
    assert administrator.post(f"{A}hosts/nobody/drain/").status_code == 404


def test_an_expired_registration_token_says_so(client_of: Callable[[str], Client], users: dict[str, User]) -> None:
    made, token = Registration.objects.issue(by=users["administrator"], lasting=timedelta(hours=1), channels=[])
    Registration.objects.filter(pk=made.pk).update(expires_at=timezone.now() - timedelta(hours=1))
    said = {"token": token, "name": "new", "architectures": ["amd64"]}
    answer = client_of("visitor").post(f"{A}builder/register", said, content_type="application/json")
    assert answer.status_code == 422 and answer.json()["field"] == "token"
    assert "expired on" in answer.json()["detail"] and not Host.objects.exists()


def test_a_task_that_no_host_may_have_says_so(
    administrator: Client, host: Host, default_channel: Channel, users: dict[str, User]
) -> None:
    task = hub.submit("build-arch", "for s390x", request={}, architecture="s390x", channel=default_channel,
                      by=users["administrator"])  # fmt: skip
    assert hub.claim(host) is None
    page = administrator.get(task.get_absolute_url()).content.decode()
    assert "s390x" in page and Task.objects.get(pk=task.pk).state == State.FREE
