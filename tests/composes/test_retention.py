"""Old composes lose their files; what a channel carries, or would go back to, never does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from composes.models import Compose
from composes.releases import releasing, retention
from composes.releases.retention import Policy
from debatomic.access.models import User
from debatomic.tools.errors import InputError
from hosts.models import Task
from tests.composes.released import Factory, channel

pytestmark = pytest.mark.django_db


def removed() -> list[int]:
    """The numbers of the composes whose files went, from 1."""
    keys = list(Compose.objects.order_by("pk").values_list("removed_at", flat=True))
    return [number for number, at in enumerate(keys, start=1) if at]


def test_the_last_ones_stay_and_what_channels_carry(factory: Factory, users: dict[str, User]) -> None:
    manager = users["release-manager"]
    composes = [factory.compose() for _ in range(7)]
    for number in (0, 1, 2):  # testing carries the third, would go back to the second
        factory.do(releasing.promote(channel("testing"), composes[number], by=manager, reason="good"))
    planned = retention.plan(Policy(keep=2))
    assert [compose.pk for compose in planned.composes] == [composes[number].pk for number in (0, 3, 4)]
    assert removed() == [], "a plan removes nothing"
    assert retention.remove(Policy(keep=2)) == 3
    assert removed() == [1, 4, 5]
    task = Task.objects.get(method="prune")
    assert task.request["names"] == [f"{composes[number]}/amd64" for number in (0, 3, 4)]
    assert retention.remove(Policy(keep=2)) == 0
    with pytest.raises(InputError, match="its files were removed"):
        first = Compose.objects.for_lists().get(pk=composes[0].pk)
        releasing.promote(channel("testing"), first, by=manager, reason="good")
    names = set(composes[0].artifacts.values_list("name", flat=True))
    assert {"lock.json", "composeinfo.json"} <= names, "what is known of it stays"


def test_young_ones_stay_and_by_default_all(factory: Factory) -> None:
    for _ in range(3):
        factory.compose()
    assert not retention.plan(Policy(keep=1, days=1)).composes
    assert not retention.plan(Policy()).composes
    assert retention.remove(Policy()) == 0
    assert len(retention.plan(Policy(keep=1)).composes) == 1, "the last is carried, the one before is gone back to"


def test_what_is_being_promoted_stays(factory: Factory, users: dict[str, User]) -> None:
    first, *_ = [factory.compose() for _ in range(5)]
    releasing.promote(channel("testing"), first, by=users["release-manager"], reason="good")
    assert first.pk not in [compose.pk for compose in retention.plan(Policy(keep=1)).composes]


def test_the_page_shows_what_would_go(factory: Factory, client_of: Callable[[str], Client]) -> None:
    first = factory.compose()
    for _ in range(3):
        factory.compose()
    client = client_of("administrator")
    assert str(first) in client.get("/composes/retention/?keep=2").content.decode()
    assert "Nothing would go" in client.get("/composes/retention/").content.decode()
    assert removed() == []
