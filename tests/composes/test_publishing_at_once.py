"""Composes of one variant that publish at the same moment: the channel carries the newest, and nothing is lost."""

from __future__ import annotations

import pytest

from composes.models import Compose, Move
from composes.releases import releasing
from hosts import hub
from hosts.models import State, Task
from tests import scene
from tests.composes.released import Factory, carried, channel

pytestmark = pytest.mark.django_db
SURE = "It was tried on ten machines."


def both(factory: Factory) -> tuple[Compose, Task, Compose, Task]:
    """An older and a newer compose whose publishing has begun, after one that is published."""
    factory.host.capacity = 9
    factory.host.save()
    factory.tell(scene.begin(factory.compose(published=False), factory.host), serial=1)
    older = factory.compose(published=False)
    first = scene.begin(older, factory.host)
    newer = factory.compose(published=False)
    return older, first, newer, scene.begin(newer, factory.host)


def history(move: Move | None) -> list[str]:
    """What the channel carried, the latest first."""
    return [str(move.compose), *history(move.before)] if move else []


@pytest.mark.parametrize("reversed_", [False, True])
def test_who_tells_of_it_last_does_not_matter(factory: Factory, reversed_: bool) -> None:
    older, first, newer, second = both(factory)
    told = [(first, 2), (second, 3)]
    for task, serial in reversed(told) if reversed_ else told:
        factory.tell(task, serial=serial)
    assert carried("nightly") == newer.identity
    assert history(channel("nightly").current) == [str(newer), str(older), str(factory.made[0])]
    assert channel("nightly").back_to == older
    assert {Compose.objects.get(pk=each.pk).state for each in (older, newer)} == {"FINISHED"}


def test_an_older_one_that_comes_last_is_passed_over_and_can_be_promoted(factory: Factory) -> None:
    older, first, newer, second = both(factory)
    assert (first.request["order"], second.request["order"]) == (older.pk, newer.pk)
    factory.tell(second, serial=2)
    factory.tell(first, passed_over=True)
    assert history(channel("nightly").current) == [str(newer), str(factory.made[0])]
    assert Compose.objects.get(pk=older.pk).state == "FINISHED"
    factory.do(releasing.promote(channel("testing"), Compose.objects.get(pk=older.pk), by=factory.by, reason=SURE))
    assert carried("testing") == older.identity


def test_what_is_published_while_another_is_withdrawn_is_carried_as_the_repository_has_it(factory: Factory) -> None:
    older, first, _, second = both(factory)
    factory.tell(second, serial=2)
    withdrawn = releasing.withdraw(channel("nightly"), by=factory.by, reason=SURE)
    factory.tell(first, serial=withdrawn.task_id + 1)  # it came to the repository after the withdrawal
    assert carried("nightly") == older.identity
    factory.do(withdrawn)
    assert history(channel("nightly").current) == [str(older), str(factory.made[0])]
    assert channel("nightly").back_to == factory.made[0]


def test_a_publishing_that_failed_and_is_tried_again_takes_nothing_from_a_newer_one(factory: Factory) -> None:
    older, first, newer, second = both(factory)
    scene.fail(first, "The disk is full.", "disk")
    factory.tell(second, serial=2)
    hub.retry(first, factory.by)
    Task.objects.filter(pk=first.pk).update(ready_at=first.created_at)
    again = scene.begin(older, factory.host)
    assert (again.pk, again.state) == (first.pk, State.RUNNING)
    factory.tell(again, passed_over=True)
    assert (carried("nightly"), Compose.objects.get(pk=older.pk).state) == (newer.identity, "FINISHED")
