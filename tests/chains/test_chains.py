"""A chain on the hub: what waits for what, what stops what, and where it goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builds.chains import submitting, waiting
from builds.chains.chain_methods import forget_chains, kept_chains
from builds.chains.chain_models import Chain, ChainMember
from builds.chains.reading import asked
from builds.models import Build, Repository, Tag, Target
from debatomic.access.models import User
from debatomic.tools.errors import InputError
from hosts.models import State, Task
from tests.chains.conftest import published, uploads

Work = Callable[..., str]


def states(chain: Chain) -> dict[str, str]:
    chain.task.refresh_from_db()
    return {member.build.source: member.build.task.state for member in chain.members.select_related("build__task")}


def test_each_waits_for_the_repository_that_has_the_ones_before(chain: Chain, work: Work) -> None:
    assert [member.level for member in chain.members.order_by("pk")] == [0, 1, 2]
    assert (work(), work()) == ("libtiny", "")
    waiting.tend()
    assert work() == ""  # built, not published
    published(chain.target.tag, "libtiny")
    waiting.tend()
    assert (work(), work()) == ("tool", "")
    published(chain.target.tag, "tool")
    waiting.tend()
    assert work() == "both"
    assert (set(states(chain).values()), chain.task.state) == ({"completed"}, State.COMPLETED)


def test_its_builds_are_told_of_the_repository(chain: Chain) -> None:
    requests = Task.objects.filter(method="build-arch").values_list("request", flat=True)
    assert [request["repository"] for request in requests] == [
        {"name": "house", "path": "/repositories/house", "keys": "public keys\n"}] * 3  # fmt: skip


def test_a_failed_member_stops_only_what_depends_on_it(house: Target, somebody: User, tmp_path: Path,
                                                       work: Work) -> None:  # fmt: skip
    wanted = {"libtiny": "", "tool": "libtiny", "alone": "", "late": "alone"}
    found, order = submitting.prepare(house, [], uploads(tmp_path / "sources", wanted))
    chain = submitting.create(house, found, order, by=somebody)
    assert work() == "alone"
    assert work("It does not compile.") == "libtiny"
    assert states(chain) == {"alone": "completed", "libtiny": "failed", "late": "free", "tool": "canceled"}
    assert chain.task.state == State.RUNNING
    published(house.tag, "alone")
    waiting.tend()
    assert work() == "late"
    assert states(chain)["late"] == "completed"
    assert (chain.task.state, "It does not compile." in chain.task.reason) == (State.FAILED, True)


def test_a_retry_goes_on_where_it_stopped(chain: Chain, work: Work, somebody: User) -> None:
    work()
    published(chain.target.tag, "libtiny")
    waiting.tend()
    assert work("Broken.") == "tool"
    assert states(chain) == {"libtiny": "completed", "tool": "failed", "both": "canceled"}
    chain.retry(by=somebody)
    assert states(chain) == {"libtiny": "completed", "tool": "free", "both": "free"}
    assert (work(), work()) == ("tool", "")
    published(chain.target.tag, "tool")
    waiting.tend()
    assert work() == "both"
    assert states(chain)["both"] == chain.task.state == State.COMPLETED


def test_a_cancel_ends_all_that_waits(chain: Chain, work: Work, somebody: User) -> None:
    chain.cancel(by=somebody)
    assert (set(states(chain).values()), chain.task.state, work()) == ({"canceled"}, State.CANCELED, "")


@pytest.mark.parametrize("change, sentence", [
    (lambda tag: tag.entries.all().delete(), "libtiny 1.0 is completed, but not in tag trixie"),
    (lambda tag: tag.repository.delete(), "Tag trixie has no repository any more."),
    (lambda tag: published(tag, "other"), "takes no package of libtiny 1.0"),
])  # fmt: skip
def test_what_can_never_come_is_said(chain: Chain, work: Work, change: Any, sentence: str) -> None:
    work()
    if "other" in sentence or "takes" in sentence:
        Build.objects.create(source="other", version="1", target=chain.target, created_by=chain.created_by,
                             task=Task.objects.create(method="build", channel=chain.target.channel))  # fmt: skip
    change(Tag.objects.get(pk=chain.target.tag_id))
    waiting.tend()
    assert states(chain) == {"libtiny": "completed", "tool": "failed", "both": "canceled"}
    gate = ChainMember.objects.get(build__source="tool").gate
    assert gate is not None and sentence in gate.reason


@pytest.mark.parametrize("prepare, sentence", [
    (lambda target: Target.objects.update(with_repository=False), "does not build with its tag's repository"),
    (lambda target: Repository.objects.update(enabled=False), "of tag trixie, which has none"),
    (lambda target: Repository.objects.update(current=None), "is not published yet"),
    (lambda target: Tag.objects.update(locked=True), "Tag trixie is locked"),
    (lambda target: Target.objects.update(enabled=False), "Target trixie is disabled"),
])  # fmt: skip
def test_a_target_that_cannot_have_chains_is_refused(house: Target, prepare: Any, sentence: str) -> None:
    prepare(house)
    with pytest.raises(InputError, match=sentence) as refused:
        submitting.prepare(Target.objects.get(pk=house.pk), asked("figlet"))
    assert refused.value.field == "target"


@pytest.mark.parametrize("text, sentence", [
    ("figlet\n<x", "Line 2: “<x”"), ("a\n\nb 1.0 <!nocheck>", "Line 3: “!nocheck” is no name of a build profile"),
    ("a b c", "Line 1"),
])  # fmt: skip
def test_a_wrong_line_is_named(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        asked(text)


def test_files_that_belong_to_nothing_are_named(house: Target, tmp_path: Path) -> None:
    given = uploads(tmp_path / "sources", {"libtiny": ""})
    with pytest.raises(InputError, match=r"No \.dsc lists more\.tar\.xz") as refused:
        submitting.prepare(house, [], [*given, ("more.tar.xz", given[0][1])])
    assert refused.value.field == "files"


def test_profiles_reach_the_build(house: Target, somebody: User, tmp_path: Path) -> None:
    given = uploads(tmp_path / "sources", {"aa": "bb <!nocheck>", "bb": "aa"})
    found, order = submitting.prepare(house, asked("aa <nocheck>"), given)
    chain = submitting.create(house, found, order, by=somebody)
    assert [member.build.source for member in chain.members.all()] == ["aa", "bb"]
    tasks = {task.request["source"]: task.request for task in Task.objects.filter(method="build-arch")}
    assert (tasks["aa"]["profiles"], "profiles" in tasks["bb"]) == (["nocheck"], False)


def test_retention_keeps_what_a_tag_has_and_forgets_the_rest(chain: Chain, work: Work) -> None:
    assert not kept_chains().exists()
    work()
    assert list(kept_chains()) == [{"chain__task_id": chain.task_id}]
    chain.target.tag.entries.all().delete()
    forget_chains([chain.task_id])
    assert not Chain.objects.exists() and not Build.objects.exists()


def test_a_member_waits_for_the_checks_of_what_it_needs(chain: Chain, work: Callable[..., str]) -> None:
    chain.target.policies.create(check_name="lintian", level="blocks")
    assert work() == "libtiny"
    waiting.tend()
    assert {member.gate.state for member in chain.members.exclude(gate=None) if member.gate} == {State.FREE}
    build = chain.members.get(build__source="libtiny").build
    assert build.checks.get().blocks and not build.tag_entries.exists()
