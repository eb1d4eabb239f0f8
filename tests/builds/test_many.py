"""Lists and patterns: every refusal named, nothing submitted unless asked; with a hub's index of an archive."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from builds import sources
from builds.models import Build, Target
from chroots.engine.archives.sources_index import parse_sources, write_index

pytestmark = pytest.mark.django_db

JSON = "application/json"
PARAGRAPH = """\
Package: {name}
Version: {version}
Directory: pool/main/{name}
Architecture: {architecture}
Binary: {name}
{needs}Checksums-Sha256:
 {digest} 10 {name}_{version}.dsc

"""
SOURCES = [("jq", "1.7-1", "any"), ("libone-perl", "1-1", "all"), ("libtwo-perl", "2-1", "any"), ("odd", "1", "s390x")]
NEEDS = {
    "libone-perl": "Build-Depends: debhelper-compat (= 13)\nBuild-Depends-Indep: libtwo-perl:any (>= 1) <!nocheck>\n",
    "jq": "Build-Depends: debhelper | dh, libtwo-perl | libone-perl [amd64], libone-perlish\n",
}


@pytest.fixture
def archive(target: Target, home: Path) -> None:
    """The index a hub has after it asked the mirror, so new that it does not ask again."""
    made = sources.archive_of(target.chroots.get())
    made.index.parent.mkdir(parents=True)
    text = "".join(PARAGRAPH.format(name=name, version=version, architecture=architecture, digest="0" * 64,
                                    needs=NEEDS.get(name, ""))
                   for name, version, architecture in SOURCES)  # fmt: skip
    write_index(made.index, parse_sources(text, "main"), release="r", sources="s")


@pytest.fixture
def ask(archive: None, client_of: Callable[[str], Client]) -> Callable[..., Any]:
    client = client_of("packager")

    def asked(*lines: str, **more: Any) -> Any:
        return client.post("/api/v1/builds/many/", {"sources": lines, "target": "trixie", **more}, content_type=JSON)

    return asked


def test_a_look_submits_nothing_and_names_each_refusal(ask: Callable[..., Any]) -> None:
    told = ask("lib*-perl", "jq 9", "qj", "odd", "jq").json()
    assert [(one["source"], one["version"]) for one in told["good"]] == [
        ("libone-perl", "1-1"), ("libtwo-perl", "2-1"), ("jq", "1.7-1")]  # fmt: skip
    assert [one["source"] for one in told["refused"]] == ["jq", "qj", "odd"]
    whys = [one["why"] for one in told["refused"]]
    assert "trixie has no version 9 of jq; it has 1.7-1." in whys[0]
    assert "no source package 'qj'" in whys[1] and "It is for s390x; the target has amd64." in whys[2]
    assert not Build.objects.exists()


def test_all_is_none_where_one_is_refused(ask: Callable[..., Any]) -> None:
    answer = ask("jq", "qj", submit="all")
    assert (answer.status_code, answer.json()["builds"], Build.objects.count()) == (200, [], 0)
    answer = ask("jq", "qj", submit="good", scratch=True)
    (made,) = answer.json()["builds"]
    assert (answer.status_code, made["source"], Build.objects.get().scratch) == (201, "jq", True)
    assert ask("lib*", submit="all").json()["refused"] == []
    assert Build.objects.filter(scratch=False).count() == 2


def test_binary_rebuilds_at_once(ask: Callable[..., Any]) -> None:
    told = ask("jq", "libone-perl", submit="good", binnmu_reason="Rebuild against libfoo2.").json()
    assert [(one["source"], one["version"]) for one in told["builds"]] == [("jq", "1.7-1+b1")]
    (refused,) = told["refused"]
    assert "binary rebuilds make none" in refused["why"]
    assert ask("jq", binnmu_reason="Rebuild once more.").json()["good"][0]["version"] == "1.7-1+b2"


@pytest.mark.parametrize("asked, found", [
    ({"reverse_build_depends": ["libtwo-perl"]}, ["jq", "libone-perl"]),
    ({"reverse_build_depends": ["src:libone-perl"]}, ["jq"]),
    ({"reverse_build_depends": ["libtwo-perl"], "binnmu_reason": "why"}, ["jq"]),  # the other for all architectures
])  # fmt: skip
def test_all_that_build_depends_on_a_package(ask: Callable[..., Any], asked: dict[str, Any], found: list[str]) -> None:
    assert [one["source"] for one in ask(**asked).json()["good"]] == found


@pytest.mark.parametrize("package, sentence", [
    ("odd", "Nothing in trixie build-depends on odd."), ("src:qj", "There is no source package 'qj'"),
    ("No!", "“No!” is no name of a package"),
])  # fmt: skip
def test_packages_that_nothing_needs_are_told(ask: Callable[..., Any], package: str, sentence: str) -> None:
    answer = ask("jq", reverse_build_depends=[package])
    assert answer.status_code == 400 and sentence in answer.json()["reverse_build_depends"][0]


def test_what_is_built_is_refused_with_its_page(ask: Callable[..., Any]) -> None:
    ask("jq", submit="all")
    (refused,) = ask("jq").json()["refused"]
    assert refused["page"] == f"http://testserver/builds/{Build.objects.get().pk}/"


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["zz*"], "Line 1: no source package is named like zz*."),
        (["jq", "a b c"], "Line 2 has more than a name and a version"),
        (["lib* 1"], "Line 1: “lib* 1” is no pattern of names."),
        (["# none"], "No source package is named."),
    ],
)
def test_a_bad_list_is_refused_by_line(ask: Callable[..., Any], lines: list[str], sentence: str) -> None:
    answer = ask(*lines)
    assert answer.status_code == 400 and sentence in answer.json()["sources"][0]


def test_the_page_looks_first(archive: None, client_of: Callable[[str], Client]) -> None:
    client = client_of("packager")
    fields = {"sources": "jq\nqj", "target": "trixie"}
    page = client.post("/builds/many/", fields).content.decode()
    assert "Refused: 1" in page and "Submit the 1 that are good" in page and not Build.objects.exists()
    assert client.post("/builds/many/", {**fields, "submit": "all"}).status_code == 200
    assert not Build.objects.exists()
    done = client.post("/builds/many/", {**fields, "submit": "although"})
    assert done["Location"] == "/builds/?submitter=packager&state=live"
    assert Build.objects.get().source == "jq"
