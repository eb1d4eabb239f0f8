"""What is new in a compose: as a page, as JSON and as text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from builds.models import Target
from composes.models import Compose
from composes.pipeline.lock import Lock, Package
from debatomic.access.models import User
from hosts.models import Host
from tests import scene

RESULT = {"version": "13.1", "commit": "0" * 64, "ref": "debatomic/trixie/amd64/minimal", "deliverables": []}
Make = Callable[[Lock], Compose]


def lock(*packages: tuple[str, str]) -> Lock:
    made = [Package(name=name, architecture="amd64", version=version, sha256=(version[0] * 64), size=1_000_000,
                    uri=f"http://mirror.example.org/debian/{name}.deb", origin="debian", source=name)
            for name, version in packages]  # fmt: skip
    return Lock(suite="trixie", architecture="amd64", debian_version="13.1", date=1, packages=tuple(made), releases={})


@pytest.fixture
def composed(somebody: User, target: Target, host: Host, tmp_path: Path) -> Make:
    """A finished compose with this lock."""

    def make(of: Lock) -> Compose:
        compose = scene.compose(somebody, target.channel, number=Compose.objects.count())
        of.write(tmp_path / "lock.json")
        scene.complete(scene.begin(compose, host), tmp_path, name="lock.json",
                       content=(tmp_path / "lock.json").read_bytes(), result=RESULT)  # fmt: skip
        return compose

    return make


def test_the_last_one_before_is_compared(composed: Make, client_of: Callable[[str], Client]) -> None:
    composed(lock(("apt", "9.0"), ("zsh", "9.0")))
    composed(lock(("apt", "1.0"), ("zsh", "1.0")))
    new = composed(lock(("apt", "2.0"), ("jq", "1.7")))
    client, address = client_of("visitor"), f"/composes/{new.pk}/compare/"
    html = client.get(address).content.decode()
    assert "amd64: 1 added, 1 removed, 1 upgraded; 2.0 MB of packages are new" in html
    told = client.get(address, {"format": "json"}).json()["packages"][0]
    assert [each["name"] for each in told["added"]] == ["jq"] and told["changed"][0]["old"]["version"] == "1.0"
    assert client.get(f"/api/v1/composes/{new.pk}/compare/").json()["packages"] == [told]
    text = client.get(address, {"format": "text"})
    assert text["Content-Type"].startswith("text/plain")
    assert text.content.decode().splitlines()[3:] == ["  + jq 1.7", "  - zsh 1.0", "  * apt 1.0 → 2.0"]


def test_any_two_can_be_compared(composed: Make, client_of: Callable[[str], Client]) -> None:
    first, new = composed(lock(("apt", "3.0"))), composed(lock(("apt", "2.0")))
    assert "downgraded" in client_of("viewer").get(f"/composes/{new.pk}/compare/?with={first.pk}").content.decode()
    assert "the same packages" in client_of("viewer").get(f"/composes/{new.pk}/compare/?with={new.pk}").content.decode()


@pytest.mark.parametrize("query", ["with=999999", f"with={'9' * 18}"])
def test_what_is_not_there_is_not_compared(query: str, composed: Make, client_of: Callable[[str], Client]) -> None:
    new = composed(lock(("apt", "2.0")))
    assert client_of("viewer").get(f"/composes/{new.pk}/compare/?{query}").status_code == 404


def test_without_another_one_that_is_said(composed: Make, client_of: Callable[[str], Client]) -> None:
    new = composed(lock(("apt", "2.0")))
    answer = client_of("viewer").get(f"/composes/{new.pk}/compare/?format=json")
    assert answer.status_code == 200
    assert "There is no finished compose of debian-atomic minimal before." in answer.content.decode()
