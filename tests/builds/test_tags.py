"""What is in a tag: inheritance as a table, and its verbs."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from django.utils import timezone

from builds.models import Build, Repository, Tag, TagEntry, Target
from builds.tagging import changing, repositories
from builds.tagging.content import Found, Line, content, order, resolve
from builds.tagging.moments import moment_in
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError
from hosts.models import State, Task
from tests import scene

# tags: 1 inherits from 2 and then 3; 2 inherits from 4
LINES = {1: [Line(2, 0), Line(3, 1)], 2: [Line(4, 0)]}


@pytest.mark.parametrize("entries, blocked, lines, found", [
    ({1: [(10, "a")], 4: [(11, "a")]}, {}, LINES, [(10, 1)]),
    ({3: [(10, "a")], 4: [(11, "a")]}, {}, LINES, [(11, 4)]),  # depth first
    ({2: [(10, "a"), (9, "a")]}, {}, LINES, [(10, 2), (9, 2)]),  # all kept versions of the nearest
    ({2: [(10, "a")], 3: [(11, "b")]}, {1: frozenset("a")}, LINES, [(11, 3)]),
    ({2: [(10, "a")], 3: [(11, "a")]}, {2: frozenset("a")}, LINES, [(11, 3)]),  # blocked on one way only
    ({4: [(10, "a")]}, {2: frozenset("a")}, LINES, []),
    ({2: [(10, "linux"), (11, "grub2")]}, {}, {1: [Line(2, 0, ("linux*",))]}, [(10, 2)]),
    ({4: [(10, "linux"), (11, "grub2")]}, {}, {1: [Line(2, 0, ("*",))], 2: [Line(4, 0, ("g*",))]}, [(11, 4)]),
])  # fmt: skip
def test_the_nearest_tag_that_has_a_package_gives_it(entries: Any, blocked: Any, lines: Any, found: Any) -> None:
    assert [(each.build, each.via) for each in resolve(order(1, lines), entries, blocked)] == found


def test_a_cycle_is_told() -> None:
    with pytest.raises(InputError, match="comes back to itself"):
        order(1, {1: [Line(2, 0)], 2: [Line(1, 0)]})


def completed(by: User, target: Target, source: str = "figlet", version: str = "1") -> Build:
    made = scene.build(by, target, source=source)
    Task.objects.filter(pk=made.task_id).update(state=State.COMPLETED)
    Build.objects.filter(pk=made.pk).update(version=version)
    return Build.objects.get(pk=made.pk)


def builds_in(tag: Tag, at: Any = None) -> list[int]:
    return [each.build for each in content(tag, at)]


def test_a_newer_build_takes_the_place_of_the_older_and_the_past_stays(target: Target, somebody: User) -> None:
    tag, first, second = target.tag, completed(somebody, target), completed(somebody, target, version="2")
    changing.take(tag, first)
    then = timezone.now()
    changing.take(tag, second)
    assert (builds_in(tag), builds_in(tag, then)) == ([second.pk], [first.pk])
    ended = TagEntry.objects.get(build=first)
    assert (ended.end_reason, ended.ended_by) == ("a newer version came", None)


def test_what_may_not_enter_a_tag(target: Target, somebody: User) -> None:
    tag, build = target.tag, completed(somebody, target)
    changing.add(tag, build, by=somebody)
    running = scene.build(somebody, target)
    for other, sentence in ((build, "is in trixie already"), (running, "not completed")):
        with pytest.raises(InputError, match=sentence):
            changing.add(tag, other, by=somebody)
    changing.block(tag, "cowsay", by=somebody, reason="no cows")
    with pytest.raises(InputError, match="blocked in trixie"):
        changing.add(tag, completed(somebody, target, "cowsay"), by=somebody)
    changing.lock(tag, locked=True, by=somebody)
    with pytest.raises(InputError, match="locked"):
        changing.remove(tag, build, by=somebody)
    changing.take(tag, completed(somebody, target, "jq"))
    assert builds_in(tag) == [build.pk]
    assert AuditEntry.objects.filter(act__startswith="tag.").count() == 3


def test_a_build_moves_at_once_or_not_at_all(target: Target, somebody: User) -> None:
    testing, stable = target.tag, Tag.objects.create(name="stable")
    build = completed(somebody, target)
    changing.take(testing, build)
    changing.lock(stable, locked=True, by=somebody)
    with pytest.raises(InputError, match="stable is locked"):
        changing.move(build, source=testing, to=stable, by=somebody)
    assert (builds_in(testing), builds_in(stable)) == ([build.pk], [])
    changing.lock(stable, locked=False, by=somebody)
    changing.move(build, source=testing, to=stable, by=somebody)
    assert (builds_in(testing), builds_in(stable)) == ([], [build.pk])


def test_inheritance_is_checked_and_its_past_is_kept(target: Target, somebody: User) -> None:
    base, tag = target.tag, Tag.objects.create(name="extra")
    build = completed(somebody, target)
    changing.take(base, build)
    before = timezone.now()
    changing.inherit(tag, [(base, "fig*")], by=somebody)
    assert content(tag) == [Found(build.pk, "figlet", base.pk)]
    assert builds_in(tag, before) == []
    with pytest.raises(InputError, match="cycle: trixie → extra"):
        changing.inherit(base, [(tag, "")], by=somebody)
    with pytest.raises(InputError, match="no pattern"):
        changing.inherit(tag, [(base, "; rm")], by=somebody)


def test_a_repository_follows_its_tag_and_what_it_inherits(target: Target, somebody: User) -> None:
    tag = Tag.objects.create(name="extra")
    changing.inherit(tag, [(target.tag, "")], by=somebody)
    repository = Repository.objects.create(tag=tag, suite="extra")
    repositories.tend()
    first = repository.snapshots.get()
    assert (first.task.method, first.task.request["repository"], first.task.priority) == ("repository", "extra", 0)
    repositories.tend()
    assert repository.snapshots.count() == 1, "one at a time"


def test_fewer_versions_are_kept_from_now_on(target: Target, somebody: User) -> None:
    tag = target.tag
    changing.keep(tag, 0, by=somebody)
    builds = [completed(somebody, target, version=str(number)) for number in range(3)]
    for build in builds:
        changing.add(tag, build, by=somebody)
    assert len(builds_in(tag)) == 3
    changing.keep(tag, 2, by=somebody)
    assert builds_in(tag) == [builds[1].pk, builds[2].pk]


def test_a_date_means_its_end() -> None:
    day, wrong = moment_in("2026-01-02")
    assert day is not None and (day.day, day.hour, wrong) == (2, 23, "")
    assert moment_in("yesterday")[1].startswith("“yesterday” is no date")


def test_too_many_ways_of_inheritance_are_refused(somebody: User) -> None:
    """Each tag inherits from both of the next two: the ways double from pair to pair."""
    pairs = [[Tag.objects.create(name=f"{side}{number}") for side in "ab"] for number in range(12)]
    with pytest.raises(InputError, match="more than 1000 ways"):
        for upper, lower in pairwise(pairs):
            for tag in lower:
                changing.inherit(tag, [(each, "") for each in upper], by=somebody)
