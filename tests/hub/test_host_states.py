"""What people decide of a host: on its page, by the API, with reason and owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from debatomic.access.models import AuditEntry
from hosts import hub
from hosts.models import Host

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("verb", "state", "sentence"), [
    ("drain", "draining", "is being drained: New disk."), ("disable", "disabled", "is switched off: New disk."),
    ("maintenance", "maintenance", "is in maintenance: New disk."), ("enable", "enabled", ""),
])  # fmt: skip
def test_verbs(make: Any, host: Host, client_of: Callable[[str], Client], verb: str, state: str, sentence: str) -> None:
    client = client_of("administrator")
    make()
    path, said = f"/api/v1/hosts/{host}/{verb}/", {"reason": "New disk"}
    told = client.post(path, said, content_type="application/json").json()
    assert (told["state"], told["comment"], told["state_by"]) == (state, "New disk", "administrator")
    assert told["out_of_service"] == (f"{host} {sentence}" if sentence else "")
    assert (hub.claim(host) is None) == (not told["in_service"]) == bool(sentence)
    assert AuditEntry.objects.get(act=f"host.{verb}").details == {"reason": "New disk"}
    page = client.get(f"/hosts/{host}/").content.decode()
    assert "New disk" in page and ("administrator, " in page) == bool(sentence)


def test_maintenance_needs_a_reason(host: Host, client_of: Callable[[str], Client]) -> None:
    client = client_of("administrator")
    answer = client.post(f"/api/v1/hosts/{host}/maintenance/", {}, content_type="application/json")
    assert (answer.status_code, answer.json()) == (400, {"reason": ["Say what the maintenance is for."]})
    page = client.post(f"/hosts/{host}/maintenance/", {"reason": " "}, follow=True).content.decode()
    assert "Say what the maintenance is for." in page
    host.refresh_from_db()
    assert host.state == "enabled"


def test_a_host_is_drained_when_nothing_runs(make: Any, host: Host, client_of: Callable[[str], Client]) -> None:
    client = client_of("administrator")
    make()
    task = hub.claim(host)
    assert task and task.claim
    client.post(f"/hosts/{host}/drain/")
    assert "draining</span>" in client.get("/hosts/").content.decode()
    assert hub.start(task.claim) and hub.finish(task.claim, {})
    assert "drained</span>" in client.get("/hosts/").content.decode()


def test_hosts_are_listed_by_state_and_service(host: Host, client_of: Callable[[str], Client]) -> None:
    client = client_of("viewer")
    Host.objects.create(name="ill", problems=[{"name": "disk", "found": "full", "mend": ""}])
    Host.objects.create(name="off", state="disabled")

    def names(query: str) -> set[str]:
        return {one["name"] for one in client.get(f"/api/v1/hosts/?{query}").json()["results"]}

    assert names("in_service=true") == {"builder-1"}
    assert names("in_service=false") == {"ill", "off"}
    assert names("state=disabled") == {"off"}
