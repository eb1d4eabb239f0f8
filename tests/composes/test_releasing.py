"""What channels carry: published, promoted, withdrawn, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from composes.models import Compose, Move
from composes.releases import releasing
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError
from hosts.models import State, Task
from tests.composes.released import REF, REFS, Factory, carried, channel

pytestmark = pytest.mark.django_db
SURE = "It was tried on ten machines."


@pytest.fixture
def manager(users: dict[str, User]) -> User:
    return users["release-manager"]


def test_what_is_published_is_carried_by_the_first_channel(factory: Factory) -> None:
    first, second = factory.compose(), factory.compose()
    assert [carried(name) for name in REFS] == [second.identity, "", ""]
    move = channel("nightly").current
    assert move and (move.kind, move.compose, move.instead_of) == ("publish", second, first)
    assert move.facts[REF]["commit"] == "2" * 64
    assert channel("nightly").back_to == first
    assert channel("stable").source == channel("testing")


def test_a_compose_goes_from_channel_to_channel(factory: Factory, manager: User) -> None:
    compose = factory.compose()
    move = releasing.promote(channel("testing"), compose, by=manager, reason=SURE, label="RC-1.2")
    assert (move.state, carried("testing")) == ("free", ""), "nothing is carried before the host has moved the refs"
    assert move.task.request == {"refs": {REFS["testing"]: "1" * 64}, "expected": {}}
    assert factory.do(move).state == "done"
    factory.do(releasing.promote(channel("stable"), compose, by=manager, reason=SURE))
    assert [carried(name) for name in REFS] == [compose.identity] * 3
    assert Compose.objects.get(pk=compose.pk).label == "RC-1.2"
    said = AuditEntry.objects.get(act="release.promote", thing__endswith="/stable")
    assert (said.user, said.details["reason"], said.details["compose"]) == (manager, SURE, compose.identity)


def test_withdrawing_goes_back_step_by_step(factory: Factory, manager: User) -> None:
    composes = [factory.compose() for _ in range(3)]
    for compose in composes:
        factory.do(releasing.promote(channel("testing"), compose, by=manager, reason=SURE))
    for expected in (composes[1], composes[0]):
        move = releasing.withdraw(channel("testing"), by=manager, reason="It does not boot.")
        assert move.task.request["expected"] != move.task.request["refs"]
        factory.do(move)
        assert carried("testing") == expected.identity
    with pytest.raises(InputError, match="nothing to go back to"):
        releasing.withdraw(channel("testing"), by=manager, reason="It does not boot.")
    journal = [(move.get_kind_display(), str(move.compose)) for move in channel("testing").moves.order_by("pk")]
    assert [kind for kind, _ in journal] == ["promoted"] * 3 + ["withdrawn"] * 2
    with pytest.raises(InputError, match=r"was withdrawn from testing: It does not boot\."):
        releasing.promote(channel("stable"), composes[2], by=manager, reason=SURE)
    factory.do(releasing.promote(channel("testing"), composes[2], by=manager, reason=SURE))
    factory.do(releasing.promote(channel("stable"), composes[2], by=manager, reason=SURE))


def test_a_move_that_failed_changes_nothing_and_may_be_tried_again(factory: Factory, manager: User) -> None:
    compose = factory.compose()
    move = releasing.promote(channel("testing"), compose, by=manager, reason=SURE)
    with pytest.raises(InputError, match="is being moved to"):
        releasing.promote(channel("testing"), compose, by=manager, reason=SURE)
    assert factory.fail(move).state == State.FAILED
    assert (Move.objects.get(pk=move.pk).state, carried("testing")) == ("failed", "")
    factory.do(releasing.promote(channel("testing"), compose, by=manager, reason=SURE))
    assert carried("testing") == compose.identity


@pytest.mark.parametrize(("to", "reason", "label", "field", "sentence"), [
    ("nightly", SURE, "", "compose", "the first channel"),
    ("stable", SURE, "", "compose", "was never in testing"),
    ("testing", "  ", "", "reason", "Give a reason"),
    ("testing", SURE, "1.0", "label", "is no label"),
    ("testing", SURE, "RC-1.1", "label", "has the label RC-1.1 already"),
])  # fmt: skip
def test_what_is_refused(
    factory: Factory, manager: User, to: str, reason: str, label: str, field: str, sentence: str
) -> None:
    releasing.set_label(factory.compose(), "RC-1.1", by=manager)
    compose = factory.compose()
    tasks = Task.objects.count()
    with pytest.raises(InputError, match=sentence) as refused:
        releasing.promote(channel(to), compose, by=manager, reason=reason, label=label)
    assert refused.value.field == field
    assert Task.objects.count() == tasks
    assert Compose.objects.get(pk=compose.pk).label == ""


def test_what_did_not_finish_is_not_promoted(factory: Factory, manager: User) -> None:
    factory.compose()
    waiting = factory.compose(published=False)
    with pytest.raises(InputError, match="cannot be promoted: it is STARTED"):
        releasing.promote(channel("testing"), waiting, by=manager, reason=SURE)


def test_the_page_previews_before_the_click(factory: Factory, client_of: Callable[[str], Client]) -> None:
    first, second = factory.compose(), factory.compose()
    client, address = client_of("release-manager"), f"/releases/{channel('testing').pk}"
    html = client.get(f"{address}/promote/").content.decode()
    assert f"Promote {second} to testing" in html and "boot by BIOS" in html
    assert client.post(f"{address}/promote/?compose={first.pk}", {"reason": ""}).status_code == 422
    assert client.post(f"{address}/promote/?compose={first.pk}", {"reason": SURE}).status_code == 302
    factory.do(channel("testing").moves.get())
    html = client.get(f"{address}/promote/?compose={second.pk}").content.decode()
    assert "amd64: 1 upgraded" in html and "1.0" in html and "2.0" in html
    sent = client.post(f"{address}/promote/?compose={second.pk}", {"reason": SURE, "label": "RC-1.0"})
    assert sent.status_code == 302
    factory.do(channel("testing").moves.latest("pk"))
    html = client.get(f"{address}/").content.decode()
    assert "RC-1.0" in html and SURE in html and "Withdraw" in html and f"testing/{REF}" in html
    html = client.get(f"{address}/withdraw/").content.decode()
    assert f"Withdraw {second} from testing" in html and "1 downgraded" in html
    assert client.post(f"{address}/withdraw/", {"reason": SURE}).status_code == 302
    assert "release-promote" not in client_of("viewer").get(f"{address}/").content.decode()
    assert "Promote from" not in client_of("viewer").get(f"{address}/").content.decode()


def test_the_api_says_the_same(factory: Factory, client_of: Callable[[str], Client]) -> None:
    first, second = factory.compose(), factory.compose()
    client, api = client_of("release-manager"), "/api/v1/release-channels/"
    rows = client.get(api, {"definition": "debian-atomic", "name": "testing"}).json()["results"]
    assert [row["identity"] for row in rows] == [None]
    one = f"{api}{rows[0]['id']}/"
    for compose in (first, second):
        answer = client.post(f"{one}promote/", {"compose": compose.pk, "reason": SURE})
        assert (answer.status_code, answer.json()["state"]) == (201, "free")
        factory.do(Move.objects.get(pk=answer.json()["id"]))
    told = client.get(f"{one}preview/").json()
    assert (told["new"], told["difference"]["packages"][0]["changed"][0]["kind"]) == (first.identity, "downgraded")
    assert client.post(f"{one}promote/", {"compose": second.pk, "reason": SURE}).status_code == 400
    assert client.post(f"{one}withdraw/", {"reason": SURE}).status_code == 201
    factory.do(channel("testing").moves.latest("pk"))
    shown = client_of("visitor").get(one).json()
    assert (shown["identity"], shown["refs"]) == (first.identity, {REFS["testing"]: "1" * 64})
    journal = client_of("visitor").get(f"{one}moves/").json()["results"]
    assert [row["kind"] for row in journal] == ["withdraw", "promote", "promote"]
    assert client_of("packager").post(f"{one}withdraw/", {"reason": SURE}).status_code == 403
