"""Chroots by API: made, changed, deleted, and what is known of their packages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from chroots.models import Chroot

JSON = "application/json"
A = "/api/v1/chroots/"
SMALL = {"name": "small", "suite": "trixie", "architecture": "amd64", "variant": "minbase"}
TEXT = "suite: trixie\narchitecture: amd64\n"


def test_a_chroot_is_made_by_keys_or_by_its_text(client_of: Callable[[str], Client]) -> None:
    client = client_of("administrator")
    house = {"name": "house", "uris": ["https://deb.example.org/debian"], "suites": ["{suite}"]}
    made = client.post(A, {**SMALL, "packages": ["nano"], "repositories": [house], "refresh_hours": 6}, JSON)
    assert made.status_code == 201, made.json()
    assert (made.json()["own_definition"], made.json()["refresh_hours"]) == (True, 6)
    told = client.get(f"{A}small/configuration/").json()
    values = {one["key"]: (one["value"], one["origin"]) for one in told["settings"]}
    assert values["packages"] == ("nano", "line 4")
    assert "suites:\n  - trixie" in values["repositories"][0]
    assert client.post(A, {"name": "other", "definition": TEXT}, JSON).status_code == 201
    assert client.post(A, {"name": "sid-amd64"}, JSON).json()["own_definition"] is False
    assert Chroot.objects.get(name="other").definition == TEXT


@pytest.mark.parametrize("body, field, words", [
    ({"suite": "trixie"}, "name", "required"),
    ({"name": "x"}, "definition", "No definition of x comes with DebAtomic"),
    ({"name": "x", "suite": "trixie"}, "architecture", "Name the architecture"),
    ({**SMALL, "mirror": "x"}, "mirror", "must be an address"),
    ({**SMALL, "repositories": [{"name": "x"}]}, "repositories", "the repository has no key uris"),
    ({"name": "x", "definition": f"{TEXT}nonsense: 1\n"}, "definition", "line 3: the key nonsense is unknown"),
    ({**SMALL, "definition": TEXT}, "suite", "as a whole or by its keys"),
    ({**SMALL, "refresh_hours": -1}, "refresh_hours", "greater than or equal to 0"),
])  # fmt: skip
def test_what_is_wrong_is_told_at_its_field(
    body: dict[str, Any], field: str, words: str, client_of: Callable[[str], Client]
) -> None:
    answer = client_of("administrator").post(A, body, JSON)
    assert (answer.status_code, list(answer.json())) == (400, [field]), answer.json()
    assert words in str(answer.json()[field][0])


def test_a_chroot_is_changed_and_deleted(client_of: Callable[[str], Client]) -> None:
    client = client_of("administrator")
    client.post(A, SMALL, JSON)
    changed = client.patch(f"{A}small/", {"definition": TEXT, "enabled": False, "refresh_hours": 48}, JSON).json()
    assert (changed["variant"], changed["enabled"], changed["refresh_hours"]) == ("buildd", False, 48)
    assert client.post(f"{A}small/refresh/").status_code == 400
    wrong = client.patch(f"{A}small/", {"definition": "suite: 1"}, JSON)
    assert wrong.status_code == 400 and "line 1: suite must be a word" in wrong.json()["definition"][0]
    assert client.delete(f"{A}small/").status_code == 204
    assert client.get(f"{A}small/").status_code == 404


def test_what_a_target_needs_stays(world: dict[str, Any], client_of: Callable[[str], Client]) -> None:
    answer = client_of("administrator").delete(f"{A}trixie-amd64/")
    assert answer.status_code == 409 and "The target trixie builds in it." in answer.json()["detail"]


def test_packages_refreshes_and_differences(world: dict[str, Any], client_of: Callable[[str], Client]) -> None:
    client, chroot = client_of("viewer"), f"{A}trixie-amd64/"
    listed = client.get(f"{chroot}refreshes/?page_size=1").json()
    assert [(one["id"], one["state"], one["host"], one["listed"]) for one in listed["results"]] == [
        (world["after"], "completed", world["host"], True)
    ]
    assert [one["id"] for one in client.get(listed["next"]).json()["results"]] == [world["before"]]
    newest = client.get(f"{chroot}packages/").json()
    assert newest == {"refresh": world["after"], "packages": {"apt": "3.1", "dpkg": "1.22", "sed": "4.9"}}
    older = client.get(f"{chroot}packages/?refresh={world['before']}&q=na").json()
    assert older["packages"] == {"nano": "8.4"}
    found = client.get(f"{chroot}difference/?from={world['before']}&to={world['after']}").json()
    assert found == {"added": {"sed": "4.9"}, "removed": {"nano": "8.4"}, "upgraded": {"apt": ["3.0", "3.1"]}}
    assert client.get(f"{chroot}difference/?from=x&to=1").status_code == 400
    assert client.get(f"{chroot}packages/?refresh=999999").status_code == 404


def test_a_host_scrubs_its_copy(world: dict[str, Any], client_of: Callable[[str], Client]) -> None:
    client, address = client_of("release-manager"), f"{A}trixie-amd64/scrub/"
    task = client.post(address, {"host": world["host"]}, JSON).json()
    assert (task["method"], task["only_on"]) == ("chroot-scrub", world["host"])
    unknown = client.post(address, {"host": "nobody"}, JSON)
    assert (unknown.status_code, list(unknown.json())) == (400, ["host"])


def test_a_failed_task_tells_its_cause(world: dict[str, Any], client_of: Callable[[str], Client]) -> None:
    client = client_of("viewer")
    assert client.get(f"/api/v1/tasks/{world['failed_task']}/").json()["cause"] == "compile"
    build = client.get(f"/api/v1/builds/{world['failed']}/").json()
    assert (build["cause"], build["kind"]) == ("compile", "build")
    assert client.get("/api/v1/builds/?cause=nonsense").status_code == 400
