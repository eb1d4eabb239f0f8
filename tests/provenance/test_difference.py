"""Two builds of a source package side by side: as a page and in the API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from builds.comparing.relations import Relation, changed
from builds.models import Build, Target
from builds.provenance.indexing import index
from debatomic.access.models import User
from debatomic.client.differences import lines
from hosts.models import Host
from tests import scene
from tests.provenance.made import BUILDINFO, finished

PAGE, API = "/packages/figlet/difference/", "/api/v1/packages/figlet/difference/"
Pair = tuple[Build, Build]


@pytest.mark.parametrize("before, after, told", [
    ("Depends: a, b", "Depends: a", [Relation("Depends", "b", "")]),
    ("Depends: a (>= 1)", "Depends: a (>= 2),\n c | d", [
        Relation("Depends", "a (>= 1)", "a (>= 2)"), Relation("Depends", "", "c | d")]),
    ("Version: 1\nDepends: a (= 1)", "Version: 2\nDepends: a (= 2)", []),
    ("Version: 1\nDepends: a (= 1)", "Version: 2\nDepends: a (= 1)", [
        Relation("Depends", "a (= its own version)", "a (= 1)")]),
    ("Breaks: a (<< 1), a (>> 5)", "Breaks: a (>> 5), a (<< 1)", []),
    ("Maintainer: A", "Maintainer: B", []),
    ("", "nonsense\n\n: more", []),
])  # fmt: skip
def test_relations(before: str, after: str, told: list[Relation]) -> None:
    assert changed(before, after) == told


@pytest.fixture
def pair(target: Target, somebody: User, host: Host, tmp_path: Path) -> Pair:
    """Two completed builds that differ in everything that is compared."""
    old, new = scene.build(somebody, target), scene.build(somebody, target)
    finished(old, host, tmp_path, ["usr/bin/figlet", "usr/share/a.flf"], b"old", relations="Depends: libc6, <b>\n")
    other = BUILDINFO.replace("1.22.22", "1.22.21").replace(" gcc-14:arm64 (= 14.2.0-19),\n", "")
    finished(new, host, tmp_path, ["usr/bin/figlet", "usr/bin/new"], b"newer", relations="Depends: libc6\n",
             buildinfo=other)  # fmt: skip
    index()
    for build, verdict in ((old, "pass"), (new, "fail")):
        build.checks.create(check_name="lintian", level="informs", architecture="amd64", verdict=verdict)
    Build.objects.filter(pk=new.pk).update(version="2.2.5-4", files=[])
    return old, Build.objects.get(pk=new.pk)


def test_the_newest_is_compared_with_the_one_before(pair: Pair, client_of: Callable[[str], Client]) -> None:
    old, new = pair
    told = client_of("visitor").get(API).json()
    assert (told["old"]["id"], told["new"]["id"], told["unknown"]) == (old.pk, new.pk, [])
    (package,) = told["packages"]
    assert (package["name"], package["what"], package["growth"]) == ("figlet", "changed", 2)
    assert [(each["before"], each["after"]) for each in told["relations"]] == [("<b>", "")]
    assert [(each["what"], each["path"]) for each in told["files"]] == [
        ("removed", "usr/share/a.flf"), ("added", "usr/bin/new")]  # fmt: skip
    assert told["files_untold"] == 0
    assert [(each["what"], each["name"], each["after"]) for each in told["buildroots"]] == [
        ("downgraded", "dpkg", "1.22.21"), ("removed", "gcc-14:arm64", "")]  # fmt: skip
    (check,) = told["checks"]
    assert (check["old"]["verdict"], check["new"]["verdict"]) == ("pass", "fail")
    assert [(each["name"], each["new"]) for each in told["sources"]] == [("figlet_2.2.5-3.dsc", None)]
    assert [each["name"] for each in told["times"]] == ["whole"]
    assert list(lines(told))[1:] == [
        "Packages:", "  * figlet amd64 2.2.5-3 → 2.2.5-3, +2 bytes",
        "Dependencies:", "  figlet amd64 Depends: <b> → –",
        "Files:", "  - /usr/share/a.flf (figlet amd64)", "  + /usr/bin/new (figlet amd64)",
        "Checks:", "  lintian amd64: pass → fail",
        "Buildroot:", "  * dpkg 1.22.22 → 1.22.21 (amd64)", "  - gcc-14:arm64 14.2.0-19 (amd64)",
    ]  # fmt: skip


def test_an_answer_has_no_more_files_than_anybody_reads(
    pair: Pair, client_of: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builds.comparing.difference.MOST_TOLD", 1)
    told = client_of("visitor").get(API).json()
    assert ([each["path"] for each in told["files"]], told["files_untold"]) == (["usr/share/a.flf"], 1)
    assert "  and 1 more" in lines(told)


def test_the_page_says_it(pair: Pair, client_of: Callable[[str], Client], django_assert_max_num_queries: Any) -> None:
    (old, new), client = pair, client_of("viewer")
    with django_assert_max_num_queries(20):
        page = client.get(PAGE).content.decode()
    for words in (
        "What is new in figlet",
        "0 added, 0 removed, 1 changed, 0 identical",
        "+2 B",
        "&lt;b&gt;",
        "/usr/bin/new",
        "downgraded",
        f"/builds/{old.pk}/#check-",
        f"?from={new.pk}&amp;to={old.pk}",
    ):
        assert words in page, words
    back = client.get(f"{PAGE}?from={new.pk}&to={old.pk}&q=bin/").content.decode()
    assert "-2 B" in back and "upgraded" in back and "/usr/bin/new" in back and "a.flf" not in back
    same = client.get(PAGE, {"from": new.pk, "to": new.pk}).content.decode()
    assert "1 identical" in same and "The same files:" in same and "The same packages in the same versions, by" in same
    for address in (f"/builds/{new.pk}/", "/packages/figlet/"):
        assert "/packages/figlet/difference/" in client_of("visitor").get(address).content.decode()


def test_what_cannot_be_compared_is_told(target: Target, somebody: User, client_of: Callable[[str], Client]) -> None:
    client = client_of("visitor")
    waiting, jq = scene.build(somebody, target), scene.build(somebody, target, source="jq")
    hidden = scene.build(somebody, target, public=False)
    assert "No build of it has completed yet." in client.get(PAGE).content.decode()
    assert client.get(API).json() == {"non_field_errors": ["No build of it has completed yet."]}
    assert "was completed before" in client.get(PAGE, {"to": waiting.pk}).content.decode()
    assert "Neither build has packages." in client.get(PAGE, {"from": waiting.pk, "to": waiting.pk}).content.decode()
    for wrong in (jq.pk, hidden.pk, 999_999):
        assert {client.get(page, {"to": wrong}).status_code for page in (PAGE, API)} == {404}
