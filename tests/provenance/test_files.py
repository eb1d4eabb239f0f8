"""Where is this file? Names, beginnings and paths; tags, repositories and who may see what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from builds.keeping.leaving import forget_builds
from builds.methods import forget_binaries
from builds.models import FileList, FileName, PackageFiles, Repository, Tag, Target
from builds.provenance import finding
from builds.provenance.finding import parse
from builds.provenance.indexing import index
from builds.tagging import changing
from debatomic.access.models import User
from debatomic.tools.errors import InputError
from hosts.models import Host
from tests import scene
from tests.provenance.made import finished

FIGLET = ["usr/bin/figlet", "usr/bin/chkfont", "usr/share/doc/figlet/copyright", "usr/share/figlet/big.flf"]


@pytest.mark.parametrize("text, path, fits", [
    ("figlet", "usr/bin/figlet", True),
    ("bin/figlet", "usr/bin/figlet", True),
    ("bin/figlet", "usr/sbin/figlet", False),
    ("/usr/bin/figlet", "usr/bin/figlet", True),
    ("/bin/figlet", "usr/bin/figlet", True),  # as on every Debian system
    ("/bin/figlet", "opt/bin/figlet", False),
    ("/bin/fig*", "bin/figlet", True),
    ("/figlet", "figlet", True),
    ("/figlet", "usr/figlet", False),
])  # fmt: skip
def test_folders(text: str, path: str, fits: bool) -> None:
    assert parse(text).fits(path) is fits


@pytest.mark.parametrize("text", ["", "*", "a*", "usr/", "li*b*", "a\nb", "u*r/lib"])
def test_what_is_no_name_is_told(text: str) -> None:
    with pytest.raises(InputError):
        parse(text)


@pytest.fixture
def search(client_of: Callable[[str], Client]) -> Callable[..., list[tuple[str, int, int]]]:
    """First path, package and number of packages of each hit."""

    def ask(name: str, who: str = "viewer", **more: Any) -> list[tuple[str, int, int]]:
        answer = client_of(who).get("/api/v1/files/", {"name": name, **more})
        assert answer.status_code == 200, answer.content
        return [(hit["paths"][0], hit["binary"], hit["packages"]) for hit in answer.json()["results"]]

    return ask


def test_files_are_found(
    target: Target, somebody: User, host: Host, tmp_path: Path, search: Callable[..., Any],
    client_of: Callable[[str], Client],
) -> None:  # fmt: skip
    first = finished(scene.build(somebody, target), host, tmp_path, FIGLET)
    again = finished(scene.build(somebody, target), host, tmp_path, FIGLET)
    hidden = finished(scene.build(somebody, target, source="jq", public=False), host, tmp_path, ["usr/bin/jq"])
    unknown = finished(scene.build(somebody, target, source="old"), host, tmp_path, None)
    assert search("figlet") == []
    index()
    assert (FileList.objects.count(), PackageFiles.objects.get(binary=unknown).listing) == (2, None)
    assert search("figlet") == search("/bin/figlet") == [("usr/bin/figlet", again.pk, 2)]
    assert [path for path, *_ in search("cop*")] == ["usr/share/doc/figlet/copyright"]
    assert search("lib/figlet") == search("Figlet") == []
    assert search("jq") == [("usr/bin/jq", hidden.pk, 1)]
    assert search("jq", "visitor") == [] and search("figlet", "stranger") == []
    page = client_of("viewer").get("/files/?name=big.*").content.decode()
    assert "/usr/share/figlet/big.flf" in page and f"/binaries/{again.pk}/" in page and "newest of 2" in page
    changing.remove(target.tag, again.build, by=somebody)
    changing.add(target.tag, first.build, by=somebody)
    assert search("figlet", tag="trixie") == [("usr/bin/figlet", first.pk, 1)]
    Tag.objects.create(name="empty")
    Repository.objects.create(tag=target.tag, suite="house")
    assert search("figlet", tag="empty") == search("figlet", repository="house") == []


def test_what_cannot_be_asked_is_told(target: Target, client_of: Callable[[str], Client]) -> None:
    client = client_of("viewer")
    assert "name of a file" in client.get("/files/?name=/").content.decode()
    assert "no such tag" in client.get("/files/?name=a&tag=none").content.decode()
    assert client.get("/api/v1/files/?name=*").status_code == 400
    assert client.get("/api/v1/files/?name=a&repository=none").status_code == 404
    assert client.get("/api/v1/files/?name=a&from=nonsense").json()["results"] == []


def test_a_list_goes_with_its_last_package(target: Target, somebody: User, host: Host, tmp_path: Path) -> None:
    first, second = (finished(scene.build(somebody, target), host, tmp_path, FIGLET) for _ in range(2))
    index()
    forget_binaries([first.artifact_id])
    assert FileName.objects.count() == 4
    changing.remove(target.tag, second.build, by=somebody)
    forget_builds([second.build.task_id])
    assert not FileName.objects.exists() and not FileList.objects.exists()


def test_pages_of_hits_and_their_queries(
    target: Target, somebody: User, host: Host, tmp_path: Path, client_of: Callable[[str], Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(finding, "SHOWN", 3)
    made = [finished(scene.build(somebody, target, source=f"p{number}"), host, tmp_path, [f"b/xx{number}", "b/same"])
            for number in range(8)]  # fmt: skip
    index()
    client = client_of("viewer")
    for name, expected in (("same", [each.pk for each in made[::-1]]), ("xx*", [each.pk for each in made])):
        seen, begin = [], ""
        while True:
            with CaptureQueriesContext(connection) as asked:
                told = client.get("/api/v1/files/", {"name": name, "from": begin}).json()
            assert len(asked) <= 8
            seen += [hit["binary"] for hit in told["results"]]
            begin = told["following"]
            if not begin:
                break
        assert seen == expected
