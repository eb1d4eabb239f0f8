"""Binary rebuilds: their number, what they make, and what a tag and its repository have beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from builds import methods
from builds.comparing.difference import difference
from builds.models import BinaryPackage, Build, Repository, Tag, Target
from builds.promotion import policies, policy, promoting
from builds.provenance import statement
from builds.quality import gates, requests
from builds.submitting.policy import BuiltAlready
from builds.submitting.rebuilds import Rebuild, asked, only_theirs, person, told_engine
from builds.tagging import changing, content, families, repositories
from chroots.engine.binnmu import BinNmu
from debatomic.access.models import User
from debatomic.tools.errors import InputError
from hosts.models import State, Task
from hosts.queue.wishes import AS_USUAL
from tests import scene

JSON = "application/json"
WHY = Rebuild(reason="Rebuild against libfoo2.\nAnd for another reason.")


def test_the_changelog_is_debians() -> None:
    made = BinNmu(number=2, reason="Rebuild against libfoo2.\n\n And more. ", by="Ann <ann@example.org>", date=0)
    assert made.entry(source="tiny", version="1:1.0-1", suite="trixie", architecture="arm64") == (
        "tiny (1:1.0-1+b2) trixie; urgency=low, binary-only=yes\n\n"
        "  * Binary-only non-maintainer upload for arm64; no source changes.\n"
        "  * Rebuild against libfoo2.\n  * And more.\n\n"
        " -- Ann <ann@example.org>  Thu, 01 Jan 1970 00:00:00 +0000\n\n"
    )


@pytest.mark.parametrize("reason, number, field, sentence", [
    ("", 3, "binnmu_reason", "needs a reason"), ("x" * 501, 0, "binnmu_reason", "longer than 500"),
    ("a\x1b[2J", 0, "binnmu_reason", "nobody can see"), ("why", 1000, "binnmu", "1 to 999"),
    ("why", -1, "binnmu", "1 to 999"),
])  # fmt: skip
def test_what_no_changelog_can_say_is_refused(reason: str, number: int, field: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as refused:
        asked(reason, number)
    assert refused.value.field == field


def test_nothing_is_made_for_all_architectures() -> None:
    assert only_theirs({"amd64": "binary", "arm64": "any"}) == {"amd64": "any", "arm64": "any"}
    with pytest.raises(InputError, match="for every architecture"):
        only_theirs({"amd64": "all"})


@pytest.mark.parametrize("builds, found", [
    ([("1+b1", 1), ("1", 0), ("0", 0)], [0, 0, 1]),
    ([("2", 0), ("1+b2", 2), ("1+b1", 1), ("1", 0)], [0, 1, 1, 1]),
    ([("1", 0), ("1", 0)], [0, 1]),  # the same made twice
    ([("1", 0), ("1+b1", 1)], [0, 0]),  # tagged by hand later
    ([("1+b1", 1), ("2", 0), ("1", 0)], [1, 0, 1]),  # rebuilt when there was a newer version
])  # fmt: skip
def test_a_version_and_its_rebuilds_have_one_place(builds: Any, found: list[int]) -> None:
    assert list(families.places(builds)) == found


@pytest.fixture
def first(target: Target, somebody: User) -> Build:
    """A completed build in the tag, with a package of its architecture and one for all."""
    build = scene.build(somebody, target)
    completed(build, ("figlet", "amd64"), ("figlet-doc", "all"))
    return build


def completed(build: Build, *packages: tuple[str, str]) -> None:
    """It ended well with these packages, and is in its tag."""
    Task.objects.filter(parent=build.task_id).update(state=State.COMPLETED)
    Task.objects.filter(pk=build.task_id).update(state=State.COMPLETED)
    build.task.refresh_from_db()
    task = build.task.children.get()
    for name, architecture in packages:
        artifact = task.artifacts.create(name=f"{name}_{architecture}.deb", sha256="0" * 64, size=1, kind="binary")
        BinaryPackage.objects.create(build=build, name=name, version=build.version, architecture=architecture,
                                     artifact=artifact)  # fmt: skip
    changing.take(build.target.tag, build)


def in_tag(tag: Tag) -> list[int]:
    return sorted(each.build for each in content.content(tag))


def test_each_rebuild_has_the_next_free_number(first: Build, somebody: User) -> None:
    second = first.rebuild(WHY, by=somebody)
    assert (second.version, second.source_version, second.binnmu) == ("2.2.5-3+b1", "2.2.5-3", 1)
    third = first.rebuild(WHY, by=somebody)
    assert third.version == "2.2.5-3+b2"
    Task.objects.filter(pk=third.task_id).update(state=State.FAILED)
    third.task.refresh_from_db()
    assert first.rebuild(WHY, by=somebody).version == "2.2.5-3+b3"  # the second can be retried still
    assert third.resubmit(by=somebody, wishes=AS_USUAL).version == "2.2.5-3+b4"
    with pytest.raises(BuiltAlready):
        first.rebuild(Rebuild(reason="why", number=1), by=somebody)
    assert first.rebuild(Rebuild(reason="why", number=7), by=somebody).version == "2.2.5-3+b7"


@pytest.mark.parametrize("tag", ["", "elsewhere"])
def test_another_target_counts_on_of_whatever_tag(first: Build, somebody: User, tag: str) -> None:
    first.rebuild(WHY, by=somebody)
    its = Tag.objects.create(name=tag) if tag else first.target.tag
    other = Target.objects.create(name="other", tag=its, channel=first.target.channel)
    other.chroots.set(first.target.chroots.all())
    Build.objects.filter(pk=first.pk).update(target=other)
    assert Build.objects.get(pk=first.pk).rebuild(WHY, by=somebody).version == "2.2.5-3+b2"


def test_hosts_are_told_the_source_and_what_to_write(first: Build, somebody: User) -> None:
    User.objects.filter(pk=somebody.pk).update(first_name="Ann <x>", last_name="Other", email="")
    task = first.rebuild(WHY, by=User.objects.get(pk=somebody.pk)).task.children.get()
    assert (task.request["version"], task.request["build_type"]) == ("2.2.5-3", "any")
    told = told_engine(task.request)
    assert told[:2] == ["--binnmu=1", f"--binnmu-reason={WHY.reason}"] and "=Ann x Other <" in told[2]
    stated = statement.statement(Build.objects.get(binnmu=1), task, [], [])["predicate"]["buildDefinition"]
    asked_for = stated["externalParameters"]
    assert (asked_for["version"], asked_for["binnmu"]) == ("2.2.5-3", task.request["binnmu"])
    assert told_engine({}) == [] and methods.build_about(task.request).package == "figlet"


def test_names_cannot_break_the_changelog(somebody: User) -> None:
    somebody.first_name, somebody.email = "A\n\x85\u2028 -- <B>", "a b<>\u3000@example.org"
    assert person(somebody) == "A -- B <ab@example.org>"
    assert BinNmu(number=1, reason="why", by=person(somebody), date=0).by == person(somebody)
    with pytest.raises(InputError, match="is not NAME <MAIL>"):
        BinNmu(number=1, reason="why", by="A\u2028B <a@example.org>", date=0)


@pytest.mark.parametrize("state, scratch", [(State.FAILED, False), (State.COMPLETED, True)])
def test_only_what_has_packages_is_rebuilt(first: Build, somebody: User, state: str, scratch: bool) -> None:
    Task.objects.filter(pk=first.task_id).update(state=state)
    Build.objects.filter(pk=first.pk).update(scratch=scratch)
    with pytest.raises(InputError, match="no packages to rebuild"):
        Build.objects.get(pk=first.pk).rebuild(WHY, by=somebody)


def test_packages_for_all_stay_beside_the_rebuild(first: Build, somebody: User) -> None:
    tag = first.target.tag
    Repository.objects.create(tag=tag, suite="trixie", architectures="amd64", enabled=True)
    second = first.rebuild(WHY, by=somebody)
    completed(second, ("figlet", "amd64"))
    assert in_tag(tag) == [first.pk, second.pk]
    for old, new in ((first, second), (second, first)):
        assert [(each.name, each.architecture) for each in difference(old, new).packages] == [("figlet", "amd64")]
    third = first.rebuild(WHY, by=somebody)
    completed(third, ("figlet", "amd64"))
    assert in_tag(tag) == [first.pk, third.pk]  # nothing is left of the one between
    has = repositories._pairs(tag.repository)
    names = {(str(BinaryPackage.objects.get(pk=pk)) if pk else "source", build) for build, pk in has}
    assert names == {("source", first.pk), ("figlet-doc 2.2.5-3 all", first.pk),
                     ("figlet 2.2.5-3+b2 amd64", third.pk)}  # fmt: skip


def test_a_rebuild_takes_the_whole_place_where_nothing_is_for_all(target: Target, somebody: User) -> None:
    first = scene.build(somebody, target)
    completed(first, ("figlet", "amd64"))
    second = first.rebuild(WHY, by=somebody)
    completed(second, ("figlet", "amd64"))
    assert in_tag(target.tag) == [second.pk]


def test_the_next_version_takes_both_out(first: Build, somebody: User) -> None:
    completed(first.rebuild(WHY, by=somebody), ("figlet", "amd64"))
    newer = scene.build(somebody, first.target)
    Build.objects.filter(pk=newer.pk).update(version="3")
    newer.refresh_from_db()
    completed(newer, ("figlet", "amd64"))
    assert in_tag(first.target.tag) == [newer.pk]


def test_checks_of_a_rebuild_have_what_another_build_made_for_all(first: Build, somebody: User) -> None:
    for build, there in ((first, []), (first.rebuild(WHY, by=somebody), ["figlet-doc_all.deb"])):
        result = build.checks.create(check_name="install", level="informs", architecture="amd64")
        request = requests.submit(result, build.task.children.get(), by=somebody).request
        assert [each["name"] for each in request["siblings"]] == there
    assert [each["name"] for each in request["before"]] == ["figlet_amd64.deb"]
    assert [each["name"] for each in request["before_siblings"]] == ["figlet-doc_all.deb"]


def test_a_rebuild_that_comes_too_late_takes_no_place(first: Build, somebody: User) -> None:
    late = first.rebuild(WHY, by=somebody)
    newer = scene.build(somebody, first.target)
    Build.objects.filter(pk=newer.pk).update(version="2.10-1")
    newer.refresh_from_db()
    completed(newer, ("figlet", "amd64"))
    completed(late, ("figlet", "amd64"))
    assert in_tag(first.target.tag) == [newer.pk]
    assert gates.missing(late) == f"It, or a later build of figlet, has been in {first.target.tag} already."
    Build.objects.filter(pk=newer.pk).update(version="2.2.5-2")  # older than what is rebuilt
    changing.take(first.target.tag, late)
    assert in_tag(first.target.tag) == [late.pk]


def test_the_rest_is_inherited(first: Build, somebody: User) -> None:
    child = Tag.objects.create(name="child")
    second = first.rebuild(WHY, by=somebody)
    completed(second, ("figlet", "amd64"))
    with pytest.raises(InputError, match=f"those are of build {first.pk}, which child does not have"):
        changing.add(child, second, by=somebody)
    assert not changing.without_rest(child, second, {first.pk})
    path = policy.read(f"path: [{first.target.tag}, child]\nrules: {{ended: {{state: completed}}}}\n")
    (seen,) = promoting.preview(path, [second], source=first.target.tag, to=child, by=somebody)
    assert len(seen.obstacles) == 1 and "which child does not have" in seen.obstacles[0]
    changing.remove(first.target.tag, second, by=somebody)
    changing.inherit(child, [(first.target.tag, "")], by=somebody)
    changing.add(child, second, by=somebody)
    assert in_tag(child) == [first.pk, second.pk]


def test_what_is_rebuilt_is_promoted_before_its_rebuild(first: Build, somebody: User) -> None:
    second, child = first.rebuild(WHY, by=somebody), Tag.objects.create(name="child")
    completed(second, ("figlet", "amd64"))
    rules = f"path: [{first.target.tag}, child]\nrules: {{ended: {{state: completed}}}}\n"
    path = policies.create("house", rules, message="begin", by=somebody).policy
    promoting.promote(path, [second, first], source=str(first.target.tag), by=somebody, revision=1)
    assert in_tag(child) == [first.pk, second.pk]


def test_the_api_and_the_page_say_what_is_wrong_and_submit(first: Build, client_of: Callable[[str], Client]) -> None:
    client, address = client_of("packager"), f"/builds/{first.pk}/rebuild/"
    refused = client.post(f"/api/v1{address}", {"binnmu_reason": WHY.reason, "architectures": ["s390x"]}, JSON)
    assert refused.status_code == 400 and "no packages for s390x" in refused.json()["architectures"][0]
    made = client.post(f"/api/v1{address}", {"binnmu_reason": WHY.reason}, JSON)
    assert (made.status_code, made.json()["version"]) == (201, "2.2.5-3+b1")
    again = client.post(address, {"binnmu_reason": "why", "binnmu": 1})
    assert again.status_code == 422 and "is being built for trixie already" in again.content.decode()
    done = client.post(address, {"binnmu_reason": "why", "architectures": "amd64"})
    page = client.get(done["Location"]).content.decode()
    assert "figlet 2.2.5-3+b2" in page and "number 2 of 2.2.5-3: why" in page
    assert client.get(f"/api/v1{done['Location']}").json()["binnmu"] == 2
