"""A repository is made again when its tag changed, before its index is too old, and when other keys sign."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from builds.models import Repository, Target
from builds.repository.writer import DATE
from builds.tagging import repositories
from hosts.models import State, Task
from tests import scene

KEY, OTHER = "A" * 40, "B" * 40


@pytest.fixture
def repository(target: Target) -> Repository:
    """One that followed its tag, which is empty."""
    made = Repository.objects.create(tag=target.tag, suite="house")
    repositories.tend()
    publish(made)
    return Repository.objects.select_related("current", "tag").get()


def publish(repository: Repository, *, age: timedelta = timedelta(seconds=9)) -> None:
    """The task of the newest snapshot ended well, so long ago."""
    snapshot = repository.newest(1)[0]
    then = datetime.now(UTC) - age
    repository.snapshots.filter(pk=snapshot.pk).update(name=then.strftime(DATE), created_at=then)
    Task.objects.filter(pk=snapshot.task_id).update(state=State.COMPLETED, finished_at=then)
    repositories.changed(Task.objects.get(pk=snapshot.task_id))


@pytest.mark.parametrize("valid_days, age, signed_by, signing, wanted", [
    (0, 900, KEY, KEY, False),
    (10, 4, KEY, KEY, False),
    (10, 6, KEY, KEY, True),
    (0, 0, KEY, f"{KEY} {OTHER}", True),
    (0, 0, f"{KEY} {OTHER}", OTHER, True),
    (0, 0, KEY, "", False),  # no key is published: nothing could be better
])  # fmt: skip
def test_when_it_is_signed_again(
    repository: Repository, valid_days: int, age: int, signed_by: str, signing: str, wanted: bool
) -> None:
    assert repository.current is not None
    repository.valid_days = valid_days
    repository.current.name = (datetime.now(UTC) - timedelta(days=age)).strftime(DATE)
    repository.current.signed_by = signed_by
    assert repositories.is_to_be_signed(repository, signing) is wanted


def test_the_tick_signs_again_before_it_is_too_old(repository: Repository) -> None:
    repositories.tend()
    assert repository.snapshots.count() == 1, "nothing changed"
    Repository.objects.update(valid_days=10)
    first = repository.newest(1)[0]
    repository.snapshots.update(name=(datetime.now(UTC) - timedelta(days=6)).strftime(DATE))
    repositories.tend()
    again = repository.newest(1)[0]
    assert again.pk != first.pk and (again.packages_in, again.packages_out) == (0, 0)
    publish(repository)
    repositories.tend()
    assert repository.snapshots.count() == 2


def test_what_changes_nothing_makes_no_snapshot(repository: Repository, target: Target, somebody: Any) -> None:
    """Its source is not on the hub, and it has no packages."""
    build = scene.build(somebody, target)
    Task.objects.filter(pk=build.task_id).update(state=State.COMPLETED)
    target.tag.entries.create(build=build)
    type(target.tag).objects.filter(pk=target.tag_id).touch()
    repositories.tend()
    assert repository.snapshots.count() == 1
    assert Repository.objects.get().seen != repository.seen
