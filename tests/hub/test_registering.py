"""How machines become hosts: one-time tokens, what they serve, and every way it is refused."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError
from hosts.fleet import registering
from hosts.models import Channel, Host, Registration

pytestmark = pytest.mark.django_db
SAID = {"name": "new-1", "architectures": ["arm64"], "capacity": 3}


def test_a_token_makes_one_host_with_its_own_token() -> None:
    made, token = Registration.objects.issue(by=None)
    host, own = registering.register(token, SAID)
    assert (host.name, host.architectures, host.capacity) == ("new-1", ["arm64"], 3)
    assert [one.name for one in host.channels.all()] == ["default"]
    assert Host.objects.by_token(own) == host
    made.refresh_from_db()
    assert (made.state, made.host) == ("used", host)
    assert token not in str(Registration.objects.values_list())


def test_what_the_administrator_says_wins() -> None:
    images = Channel.objects.create(name="images")
    columns: dict[str, Any] = {"name": "chosen", "architectures": ["amd64"], "capacity": 8.0, "labels": ["ssd"]}
    _, token = Registration.objects.issue(by=None, channels=[images], **columns)
    host, _ = registering.register(token, SAID)
    assert (host.name, host.architectures, host.capacity, host.labels) == ("chosen", ["amd64"], 8, ["ssd"])
    assert list(host.channels.all()) == [images]


def test_a_host_that_is_there_gets_a_new_token_when_it_is_named(host: Host) -> None:
    Host.objects.update(is_hub=False)
    old = host.new_token()
    _, token = Registration.objects.issue(by=None, name=host.name)
    again, own = registering.register(token, SAID)
    assert again.pk == host.pk
    assert (Host.objects.by_token(old), Host.objects.by_token(own)) == (None, host)


def used(token: str, registration: Registration) -> None:
    registering.register(token, SAID)


def expired(token: str, registration: Registration) -> None:
    Registration.objects.update(expires_at=timezone.now() - timedelta(minutes=1))


def revoked(token: str, registration: Registration) -> None:
    registration.revoke(by=None)


@pytest.mark.parametrize(("how", "said", "sentence"), [
    (used, {}, "This registration token was used on .* by new-1. A token is good for one machine: ask"),
    (expired, {}, "This registration token expired on .*: ask an administrator of the hub for a new one."),
    (revoked, {}, "This registration token is not known. Ask an administrator"),
    (None, {"name": "builder-1"}, "builder-1 is the hub's own machine"),
    (None, {"name": "there"}, "A host there is there already. Set DEBATOMIC_HOST_NAME"),
    (None, {"name": "not a name"}, "'not a name' is no name of a host."),
    (None, {"architectures": ["AMD 64"]}, "'AMD 64' is no architecture."),
    (None, {"capacity": -1}, "The capacity must be more than 0"),
])  # fmt: skip
def test_what_is_refused(host: Host, how: Any, said: dict[str, Any], sentence: str) -> None:
    Host.objects.create(name="there")
    registration, token = Registration.objects.issue(by=None)
    if how:
        how(token, registration)
    with pytest.raises(InputError) as refused:
        registering.register(token, {**SAID, **said})
    assert re.match(sentence, refused.value.sentence), refused.value.sentence
    if how is None:  # what was refused can be tried again
        assert registering.register(token, SAID)[0].name == "new-1"


def test_a_machine_registers_and_keeps_its_token(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    settings.IS_REMOTE_BUILDER, settings.HUB_ADDRESS = True, "http://hub.example.org"
    settings.HOST_NAME, settings.HOST_TOKEN_FILE = "new-2", str(tmp_path / "private" / "host-token")

    def post(address: str, *, json: Any, timeout: float) -> Any:
        answer = client.post(address.removeprefix(settings.HUB_ADDRESS), json, content_type="application/json")
        return httpx.Response(answer.status_code, content=answer.content)

    monkeypatch.setattr(httpx, "post", post)
    _, token = Registration.objects.issue(by=None)
    call_command("builder", "--register", token)
    kept = Path(settings.HOST_TOKEN_FILE)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    host = Host.objects.by_token(kept.read_text().strip())
    assert host and host.name == "new-2"
    with pytest.raises(CommandError, match="was used on"):
        call_command("builder", "--register", token)
    assert Host.objects.by_token(kept.read_text().strip()) == host


def test_the_hubs_own_machine_needs_none() -> None:
    with pytest.raises(CommandError, match=r"This machine does not know its hub\. Set DEBATOMIC_HUB"):
        call_command("builder", "--register", "dr_x")


def test_an_administrator_makes_one_on_the_page(client_of: Callable[[str], Client], default_channel: Channel) -> None:
    client = client_of("administrator")
    page = client.post("/hosts/-/registrations/", {"hours": "1", "channels": ["default"], "new_channel": "fast"})
    token = page.context["secret"]
    assert token in page.content.decode()
    assert token not in client.get("/hosts/-/registrations/").content.decode()
    host, _ = registering.register(token, SAID)
    assert sorted(one.name for one in host.channels.all()) == ["default", "fast"]
    acts = list(AuditEntry.objects.filter(act__startswith="host.").values_list("act", "user__username").order_by("pk"))
    assert acts == [("host.invite", "administrator"), ("host.register", "administrator")]


def test_the_api_and_the_command_make_them(
    client_of: Callable[[str], Client], default_channel: Channel, capsys: pytest.CaptureFixture[str]
) -> None:
    client = client_of("administrator")
    wanted = {"name": "api-1", "channels": ["default"], "labels": ["ssd"], "hours": 2}
    made = client.post("/api/v1/registrations/", wanted, content_type="application/json").json()
    assert registering.register(made["token"], SAID)[0].labels == ["ssd"]
    listed = client.get("/api/v1/registrations/").json()["results"]
    assert [(one["name"], one["state"], one["host"]) for one in listed] == [("api-1", "used", "api-1")]
    assert "token" not in listed[0]
    wrong = client.post("/api/v1/registrations/", {"channels": ["none"]}, content_type="application/json")
    assert (wrong.status_code, list(wrong.json())) == (400, ["channels"])
    call_command("invite_host", "by-command", "--capacity", "4")
    assert registering.register(capsys.readouterr().out.strip(), SAID)[0].capacity == 4
    with pytest.raises(CommandError, match="The capacity must be more than 0"):
        call_command("invite_host", "--capacity", "-4")


GOOD = {"architectures": "amd64 i386", "capacity": "4", "channels": ["default"], "labels": "ssd, rack=4"}


@pytest.mark.parametrize(("wrong", "field", "sentence"), [
    ({"capacity": "-1"}, "capacity", "The capacity must be more than 0"),
    ({"capacity": "much"}, "capacity", "Enter a number"),
    ({"architectures": "all"}, "architectures", "'all' is no architecture."),
    ({"architectures": ""}, "architectures", "This field is required."),
    ({"channels": ["none"]}, "channels", "not one of the available choices"),
    ({"labels": "?"}, "labels", "'?' is no label."),
    ({"new_channel": "not a slug"}, "new_channel", "valid"),
])  # fmt: skip
def test_an_edit_is_refused_at_its_field(
    host: Host, client_of: Callable[[str], Client], wrong: dict[str, Any], field: str, sentence: str
) -> None:
    client = client_of("administrator")
    answer = client.post(f"/hosts/{host}/edit/", {**GOOD, **wrong})
    assert answer.status_code == 422
    assert sentence in answer.context["form"].errors[field][0]
    host.refresh_from_db()
    assert (host.capacity, host.labels) == (2, [])


def test_an_edit_changes_what_a_host_serves(host: Host, client_of: Callable[[str], Client]) -> None:
    client = client_of("administrator")
    assert client.post(f"/hosts/{host}/edit/", GOOD).status_code == 302
    host.refresh_from_db()
    assert (host.architectures, host.capacity, host.labels) == (["amd64", "i386"], 4, ["ssd", "rack=4"])
    told = client.patch(f"/api/v1/hosts/{host}/", {"capacity": 6, "labels": []}, content_type="application/json").json()
    assert (told["capacity"], told["labels"], told["architectures"]) == (6, [], ["amd64", "i386"])
    wrong = client.patch(f"/api/v1/hosts/{host}/", {"architectures": ["?"]}, content_type="application/json")
    assert (wrong.status_code, list(wrong.json())) == (400, ["architectures"])
