"""A library changes: what builds against it is built anew, if the target's policy says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from builds.chains import rebuilding, waiting
from builds.chains.chain_models import Chain, RebuildPolicy
from builds.models import BinaryPackage, Build, Target
from builds.tagging import changing
from debatomic.access.models import AuditEntry, User
from hosts.models import State, Task
from tests.builds.test_tags import completed
from tests.chains.conftest import published

Work = Callable[..., str]


@pytest.fixture
def built(chain: Chain, work: Work) -> Target:
    """The target's tag has all three."""
    for source in ("libtiny", "tool", "both"):
        assert work() == source
        published(chain.target.tag, source)
        waiting.tend()
    return chain.target


def library(target: Target, by: User, version: str, package: str = "libtiny") -> Build:
    """Another build of the library enters the tag, with a package of this name."""
    made = completed(by, target, source="libtiny", version=version)
    task = made.task.children.get()
    Task.objects.filter(pk=task.pk).update(state=State.COMPLETED)
    artifact = task.artifacts.create(name=f"{package}.deb", sha256="0" * 64, size=1, kind="binary")
    BinaryPackage.objects.create(build=made, name=package, version=version, architecture="amd64", artifact=artifact)
    changing.take(target.tag, made)
    return made


def policy(target: Target, **columns: object) -> RebuildPolicy:
    newest = target.tag.entries.order_by("-pk")[0].pk
    return RebuildPolicy.objects.create(**{"target": target, "enabled": True, "seen": newest, **columns})


def test_nothing_happens_until_somebody_says_so(built: Target, somebody: User) -> None:
    policy(built, enabled=False)
    library(built, somebody, "2", "libtiny2")
    rebuilding.tend()
    assert Chain.objects.count() == 1


@pytest.mark.parametrize("columns, version, package, follows", [
    ({}, "2", "libtiny2", True),
    ({}, "2", "libtiny", False),  # no other name: what is built goes on working
    ({"when": "version"}, "2", "libtiny", True),
    ({"when": "version"}, "1.0", "libtiny", False),
    ({"libraries": "libother* libt*"}, "2", "libtiny2", True),
    ({"libraries": "libother*"}, "2", "libtiny2", False),
    ({"most": 1}, "2", "libtiny2", False),
])  # fmt: skip
def test_a_change_is_followed_in_order(built: Target, somebody: User, work: Work, columns: dict[str, object],
                                       version: str, package: str, follows: bool) -> None:  # fmt: skip
    policy(built, **columns)
    new = library(built, somebody, version, package)
    rebuilding.tend()
    rebuilding.tend()
    chain = Chain.objects.filter(because=new).first()
    if not follows:
        assert (chain, AuditEntry.objects.filter(act="rebuild.refuse").exists()) == (None, "most" in columns)
        return
    assert chain is not None
    assert [(each.build.source, each.level) for each in chain.members.all()] == [("tool", 0), ("both", 1)]
    waiting.tend()
    assert work() == ""  # the repository does not have the new library yet
    published(built.tag, "libtiny")
    waiting.tend()
    assert work() == "tool"


def test_rebuilds_have_versions_of_their_own(built: Target, somebody: User) -> None:
    Target.objects.filter(pk=built.pk).update(once=True)
    policy(built)
    rebuilds = Chain.objects.filter(because=library(built, somebody, "2", "libtiny2"))
    rebuilding.tend()
    members = [member.build for member in rebuilds.get().members.all()]
    assert [str(build) for build in members] == ["tool 1.0+b1", "both 1.0+b1"]
    assert {build.binnmu_reason for build in members} == {"Rebuild against libtiny 2."}


def test_what_was_built_for_another_target_is_told(built: Target, somebody: User) -> None:
    other = Target.objects.create(name="other", tag=built.tag, channel=built.channel)
    found = rebuilding.preview(other, Build.objects.get(source="libtiny"))
    assert ([*found.builds], [each.source for each in found.elsewhere]) == ([], ["both", "tool"])
