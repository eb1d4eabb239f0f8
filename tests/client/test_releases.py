"""`debatomic release` against a hub that listens."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from composes.defining.definitions import import_folder
from composes.models import Definition, Move
from debatomic.access.models import User
from debatomic.client import account
from hosts.models import Channel, Host
from tests.composes.conftest import SHIPPED
from tests.composes.released import Factory, carried

TESTING = "debian-atomic/minimal/testing"


@pytest.fixture
def factory(default_channel: Channel, users: dict[str, User], host: Host, tmp_path: Path) -> Factory:
    import_folder(SHIPPED)
    return Factory(Definition.objects.get(name="debian-atomic"), users["release-manager"], host, tmp_path)


def test_a_compose_is_looked_at_promoted_and_withdrawn(
    debatomic: Callable[..., Any], manager: account.Account, factory: Factory
) -> None:
    first, second = factory.compose(), factory.compose()
    for compose in (first, second):
        asked = ("promote", TESTING, "--compose", compose.pk, "--reason", "fine", "--label", f"RC-1.{compose.pk}")
        said = debatomic("release", *asked, "--json")
        assert said.status == 0, said.err
        factory.do(Move.objects.get(pk=json.loads(said.out)["id"]))
    said = debatomic("release", "preview", TESTING)
    assert f"{TESTING}: {second} → {first}" in said.out and "* apt 2.0 → 1.0" in said.out
    assert debatomic("release", "withdraw", TESTING, "--reason", "broken").status == 0
    factory.do(Move.objects.latest("pk"))
    assert carried("testing") == first.identity
    said = debatomic("release", "journal", TESTING)
    assert [line.split()[1] for line in said.out.splitlines()] == ["withdraw", "promote", "promote"]
    assert first.identity in debatomic("list", "release-channels").out


@pytest.mark.parametrize(("asked", "sentence"), [
    (("promote", TESTING), "Name the compose to promote"),
    (("withdraw", "debian-atomic/minimal/none", "--reason", "-"), "There is no release channel"),
    (("withdraw", TESTING), "reason"),
])  # fmt: skip
def test_what_cannot_be_is_said(
    debatomic: Callable[..., Any], manager: account.Account, factory: Factory, asked: tuple[str, ...], sentence: str
) -> None:
    factory.compose()
    said = debatomic("release", *asked)
    assert said.status == 1 and sentence in said.err
