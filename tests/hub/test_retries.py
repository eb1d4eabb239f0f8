"""What is tried again by itself, how often and when: the table, and what submitters may ask for instead."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from debatomic.tools.errors import InputError
from hosts import hub
from hosts.models import Host, State, Task
from hosts.queue.retries import Policy, checked, policy


@pytest.mark.parametrize(("kind", "attempts", "pauses"), [
    ("infrastructure", 3, [2, 4, 8]), ("disk", 2, [60, 120]), ("build", 1, [2, 4]), ("dep-wait", 1, [2, 4]),
    ("a kind of tomorrow", 1, [2, 4]),
])  # fmt: skip
def test_the_table(kind: str, attempts: int, pauses: list[float]) -> None:
    found = policy(kind, {})
    assert found.attempts == attempts
    assert [found.pause_after(number).total_seconds() for number in range(1, len(pauses) + 1)] == pauses


def test_pauses_grow_up_to_a_bound() -> None:
    assert Policy(pause=600).pause_after(9) == timedelta(hours=1)
    assert Policy(pause=86400).pause_after(9) == timedelta(days=1)


@pytest.mark.parametrize(("given", "sentence"), [
    ([], "It is an object"), ({"weather": {"attempts": 2}}, "There is no kind of failure “weather”"),
    ({"canceled": {"attempts": 2}}, "no kind of failure"), ({"build": 3}, "build takes “attempts”"),
    ({"build": {}}, "build takes"), ({"build": {"tries": 3}}, "and nothing else"),
    ({"build": {"attempts": 0}}, "from 1 to 100"), ({"build": {"attempts": 1.5}}, "whole number"),
    ({"build": {"attempts": "3"}}, "whole number"), ({"build": {"pause": -1}}, "from 0 to 604800"),
    ({"build": {"pause": float("nan")}}, "from 0 to"),
])  # fmt: skip
def test_what_cannot_be_asked_for_is_refused(given: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as refused:
        checked(given)
    assert refused.value.field == "retries"


def failed(host: Host, kind: str) -> Task:
    """Have the host fail its next task; the task as it is then, due at once."""
    Task.objects.update(not_before_at=None)
    won = hub.claim(host)
    assert won and won.claim and hub.start(won.claim)
    assert hub.fail(won.claim, reason="No.", kind=kind)
    return Task.objects.get(pk=won.pk)


@pytest.mark.django_db
def test_a_submitter_asks_for_more(make: Any, host: Host) -> None:
    make(retries={"dep-wait": {"attempts": 3, "pause": 600}})
    first = failed(host, "dep-wait")
    assert first.state == State.FREE and first.not_before_at
    assert 590 < (first.not_before_at - timezone.now()).total_seconds() <= 600
    assert [failed(host, "dep-wait").state, failed(host, "dep-wait").state] == [State.FREE, State.FAILED]


@pytest.mark.django_db
def test_a_submitter_asks_for_none(make: Any, host: Host) -> None:
    make(retries={"infrastructure": {"attempts": 1}})
    assert failed(host, "infrastructure").state == State.FAILED


@pytest.mark.django_db
def test_children_are_retried_as_their_parent_wants(make: Any, host: Host) -> None:
    parent = make("family", "family", is_parent=True, retries={"build": {"attempts": 2, "pause": 0}})
    make(parent=parent)
    assert [failed(host, "build").state, failed(host, "build").state] == [State.FREE, State.FAILED]
    parent.refresh_from_db()
    assert parent.state == State.FAILED
    hub.retry(parent, None)  # a person's retry begins a new series
    assert [failed(host, "build").state, failed(host, "build").state] == [State.FREE, State.FAILED]


@pytest.mark.django_db
@pytest.mark.parametrize(("columns", "field", "sentence"), [
    ({"weight": -1}, "weight", "above 0, not -1"), ({"weight": float("nan")}, "weight", "above 0"),
    ({"priority": -1}, "priority", "from 0"), ({"priority": 1001}, "priority", "to 1000"),
    ({"architecture": "x86_64"}, "architecture", "no name of an architecture"),
    ({"limits": {"memory": -1}}, "limits", "bytes above 0"), ({"limits": {"luck": 1}}, "limits", "no limit “luck”"),
    ({"limits": {"processors": "2"}}, "limits", "processors must be a number"),
    ({"retries": {"x": {}}}, "retries", "no kind"),
])  # fmt: skip
def test_a_submit_says_which_field_is_wrong(make: Any, columns: dict[str, Any], field: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as refused:
        make(**columns)
    assert refused.value.field == field
    assert not Task.objects.exists()
