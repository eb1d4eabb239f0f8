"""What is new in a compose: as a page, as JSON and as text."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from builds.models import Target
from composes.models import Compose
from composes.pipeline.contents import record
from composes.pipeline.contents.changelogs import Entry
from composes.pipeline.contents.defaults import Default
from composes.pipeline.contents.record import Contents, Installed
from composes.pipeline.packages.lock import Lock, Package
from debatomic.access.models import User
from hosts import hub
from hosts.kept import store
from hosts.models import Artifact, Host, State, Task
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
    assert text.content.decode().splitlines()[3:6] == ["  + jq 1.7", "  - zsh 1.0", "  * apt 1.0 → 2.0"]


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


def contents(version: str) -> Contents:
    """A record of `apt` in this version, which its changelog says, and of one default."""
    date = "Thu, 01 Jan 2026 00:00:00 +0000"
    entries = tuple(Entry(version=each, date=date, author="A", changes=(f"  * In {each}.",))
                    for each in ("2.0", "1.5", "1.0"))  # fmt: skip
    size = int(version[0]) * 1_000_000
    return Contents(architecture="amd64", changelogs={"apt": entries},
                    packages={"apt": Installed(version=version, source="apt", source_version=version, size=size)},
                    etc={"apt.conf": Default(mode=0o644, sha256=version, text=f"version {version}\n")})  # fmt: skip


def risks(version: str, *names: str) -> bytes:
    found = [{"source": "apt", "id": name, "version": version, "urgency": "high", "description": "It <b>breaks</b>.",
              "status": "open"} for name in names]  # fmt: skip
    return json.dumps({"format": 1, "asked": True, "reason": "", "vulnerabilities": found}).encode()


@pytest.fixture
def recorded(somebody: User, target: Target, host: Host, tmp_path: Path) -> Callable[..., Compose]:
    """A finished compose of `apt` in a version, with its record, its objects and its vulnerabilities."""

    def make(version: str, objects: str, *names: str, packages: int = 0) -> Compose:
        compose = scene.compose(somebody, target.channel, number=Compose.objects.count())
        task = scene.begin(compose, host)
        many = tuple((f"p{number}", version) for number in range(packages))
        lock(("apt", version), *many).write(tmp_path / "lock.json")
        contents(version).write(tmp_path / record.NAME)
        (tmp_path / record.OBJECTS).write_bytes(gzip.compress(objects.encode()))
        (tmp_path / "vulnerabilities.json").write_bytes(risks(version, *names))
        files = [hub.File(name=name, kind=Artifact.Kind.METADATA, sha256=store.put(tmp_path / name)[0])
                 for name in ("lock.json", record.NAME, record.OBJECTS, "vulnerabilities.json")]  # fmt: skip
        assert task.claim and hub.finish(task.claim, {**RESULT, "commit": version * 20}, files)
        return compose

    return make


def test_what_was_recorded_is_compared(recorded: Callable[..., Compose], client_of: Callable[[str], Client]) -> None:
    old = recorded("1.0", "aa.filez 100\nbb.filez 200\n", "CVE-1", "CVE-2")
    new = recorded("2.0", "bb.filez 200\ncc.filez 3000\n", "CVE-2", "CVE-3")
    address = f"/composes/{new.pk}/compare/?with={old.pk}"
    html = client_of("visitor").get(address).content.decode()
    for words in ("+976.6 KiB", "2.9 KiB</strong> in 1 object", "1 fixed, 1 new", "In 2.0.", "In 1.5.", "-version 1.0",
                  "It &lt;b&gt;breaks&lt;/b&gt;.", "/etc/apt.conf"):  # fmt: skip
        assert words in html, words
    assert "In 1.0." not in html
    details = client_of("visitor").get(f"{address}&format=json").json()["details"][0]
    assert details["changes"]["download"] == {"objects": 1, "size": 3000, "whole": 3200}
    assert [each["id"] for each in details["vulnerabilities"]["fixed"]] == ["CVE-1"]
    lines = client_of("visitor").get(f"{address}&format=text").content.decode().splitlines()
    assert "Download of the update: 0.0 MB in 1 objects (the whole system: 0.0 MB)" in lines
    assert lines.index("apt 1.0 → 2.0") < lines.index("    * In 1.5.")


def test_a_static_delta_is_told_where_publishing_made_one(
    recorded: Callable[..., Compose], client_of: Callable[[str], Client]
) -> None:
    old, new = recorded("1.0", ""), recorded("2.0", "")
    made = {"commit": "2.0" * 20, "previous": "1.0" * 20, "delta": 4711}
    Task.objects.create(method="publish", parent=new.task, channel=new.task.channel, state=State.COMPLETED, result=made)
    found = client_of("visitor").get(f"/api/v1/composes/{new.pk}/compare/?with={old.pk}").json()["details"][0]
    assert found["static_delta"] == 4711


def test_large_composes_are_shown_in_slices(
    recorded: Callable[..., Compose], client_of: Callable[[str], Client], django_assert_max_num_queries: Any
) -> None:
    old, new = recorded("1.0", "", packages=2000), recorded("2.0", "", packages=2000)
    client, address = client_of("visitor"), f"/composes/{new.pk}/compare/?with={old.pk}"
    with django_assert_max_num_queries(20):
        page = client.get(f"{address}&page=2").content.decode()
    assert "101–200 of 2001 packages" in page
    assert page.count("<tr>") < 120
    found = client.get(f"{address}&q=p1999&kind=upgraded").content.decode()
    assert "p1999" in found and "p1998" not in found
    assert "No package that differs matches." in client.get(f"{address}&kind=removed").content.decode()
