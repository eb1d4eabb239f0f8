"""Every way through the states, one host and one thread."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.hub.moves import move, parent_state
from hosts.models import Attempt, Event, Host, State, Task

pytestmark = pytest.mark.django_db
Family = Callable[[int], tuple[Task, list[Task]]]


def claimed(host: Host) -> Any:
    task = hub.claim(host)
    assert task is not None
    return task


def running(host: Host) -> Any:
    task = hub.start(claimed(host).claim)
    assert task is not None
    return task


def state(task: Task) -> str:
    return Task.objects.get(pk=task.pk).state


def test_a_task_goes_from_waiting_to_completed(make: Any, host: Host) -> None:
    task = make()
    won = claimed(host)
    assert (won.pk, won.state, won.host, won.attempt) == (task.pk, State.ASSIGNED, host, 1)
    assert hub.start(won.claim)
    assert hub.beat(won.claim, progress={"phase": "build"}) == hub.Beat(keep=True, cancel=False)
    assert hub.finish(won.claim, {"packages": 2})
    task.refresh_from_db()
    assert (task.state, task.result, task.claim, task.lease_ends_at) == (State.COMPLETED, {"packages": 2}, None, None)
    assert task.finished_at is not None
    assert Attempt.objects.get(task=task).outcome == "completed"
    said = list(Event.objects.filter(key=str(task.pk)).order_by("pk").values_list("what", flat=True))
    assert said == ["created", "assigned", "running", "progress", "completed"]


@pytest.mark.parametrize(("kind", "ends"), [
    ("build", State.FAILED), ("internal", State.FAILED), ("timeout", State.FAILED), ("dep-wait", State.FAILED),
    ("canceled", State.CANCELED), ("infrastructure", State.FREE),
])  # fmt: skip
def test_a_failure_ends_by_its_kind(make: Any, host: Host, kind: str, ends: str) -> None:
    task = make()
    assert hub.fail(running(host).claim, reason="No.", kind=kind, decisive=["E: no"])
    task.refresh_from_db()
    assert task.state == ends
    assert task.claim is None


@pytest.mark.parametrize(("kind", "told", "cause"), [
    ("build", "test", "test"), ("build", "", "build"), ("timeout", "", "timeout"), ("dep-wait", "dep-wait", "dep-wait"),
])  # fmt: skip
def test_a_failure_has_a_cause_until_it_is_tried_again(make: Any, host: Host, kind: str, told: str, cause: str) -> None:
    task = make()
    assert hub.fail(running(host).claim, reason="No.", kind=kind, cause=told)
    task.refresh_from_db()
    assert task.cause == cause
    hub.retry(task, None)
    assert task.cause == ""


def test_infrastructure_faults_are_tried_again_until_no_attempt_is_left(make: Any, host: Host) -> None:
    task = make()
    for number in (1, 2, 3):
        Task.objects.update(not_before_at=None)
        won = running(host)
        assert won.attempt == number
        hub.fail(won.claim, reason=f"Network, {number}.", kind="infrastructure", decisive=[])
    task.refresh_from_db()
    assert (task.state, task.reason, task.kind) == (State.FAILED, "Network, 3.", "infrastructure")
    assert list(Attempt.objects.values_list("number", "outcome")) == [(1, "failed"), (2, "failed"), (3, "failed")]
    hub.retry(task, None)
    assert (task.state, task.reason, task.attempts_allowed) == (State.FREE, "", 6)
    assert running(host).attempt == 4


def test_another_attempt_waits_a_moment(make: Any, host: Host) -> None:
    make()
    hub.fail(running(host).claim, reason="Network.", kind="infrastructure", decisive=[])
    assert hub.claim(host) is None
    Task.objects.update(not_before_at=timezone.now())
    assert hub.claim(host)


def test_a_released_task_is_free_at_once(make: Any, host: Host) -> None:
    make()
    assert hub.release(running(host).claim, "The builder stopped.")
    assert claimed(host).attempt == 2
    assert Attempt.objects.get(number=1).outcome == "lost"


@pytest.mark.parametrize("write", [
    hub.start, lambda claim: hub.beat(claim, progress={"phase": "x"}).keep,
    lambda claim: hub.finish(claim, {"late": True}), lambda claim: hub.release(claim, "late"),
    lambda claim: hub.fail(claim, reason="late", kind="build", decisive=[]), hub.holds,
], ids=["start", "beat", "finish", "release", "fail", "holds"])  # fmt: skip
def test_who_lost_the_claim_writes_nothing(make: Any, host: Host, write: Callable[[Any], Any]) -> None:
    make()
    lost = running(host).claim
    hub.release(lost, "lost")
    won = running(host)
    before = Task.objects.values().get()
    assert not write(lost)
    assert Task.objects.values().get() == before
    assert hub.finish(won.claim, {})


def test_the_reaper_frees_what_is_not_renewed_and_nothing_else(make: Any, host: Host) -> None:
    silent, heard = make("silent"), make("heard")
    lost, kept = running(host), running(host)
    assert (lost.pk, kept.pk) == (silent.pk, heard.pk)
    Task.objects.filter(pk=silent.pk).update(lease_ends_at=timezone.now() - timedelta(seconds=1))
    assert (hub.reap(), hub.reap()) == (1, 0)
    assert (state(silent), state(heard)) == (State.FREE, State.RUNNING)
    assert "builder-1 was not heard of" in Attempt.objects.get(task=silent).reason


def test_a_beat_renews_the_lease(make: Any, host: Host) -> None:
    make()
    won = running(host)
    soon = timezone.now() + timedelta(seconds=1)
    Task.objects.update(lease_ends_at=soon)
    assert hub.beat(won.claim).keep
    lease_ends_at = Task.objects.get().lease_ends_at
    assert lease_ends_at is not None
    assert lease_ends_at > soon


def test_a_waiting_task_is_canceled_at_once(make: Any, users: dict[str, User]) -> None:
    task = make()
    assert hub.cancel(task, users["packager"])
    assert (task.state, task.reason) == (State.CANCELED, "Canceled by packager.")
    assert not hub.cancel(task, users["packager"])
    assert list(AuditEntry.objects.values_list("act", "user__username")) == [("task.cancel", "packager")]


def test_an_assigned_task_is_canceled_and_never_starts(make: Any, host: Host) -> None:
    task = make()
    claim = claimed(host).claim
    hub.cancel(task, None)
    assert task.state == State.CANCELED
    assert hub.start(claim) is None


def test_a_running_task_learns_of_its_cancel_by_its_beat(make: Any, host: Host, users: dict[str, User]) -> None:
    task = make()
    claim = running(host).claim
    hub.cancel(task, users["packager"])
    assert task.state == State.RUNNING
    assert task.cancel_asked
    assert hub.beat(claim).cancel
    hub.fail(claim, reason="killed", kind="build", decisive=[])
    assert state(task) == State.CANCELED
    assert Task.objects.get().reason == "Canceled by packager."


def test_a_canceled_task_whose_host_died_is_not_run_again(make: Any, host: Host) -> None:
    task = make()
    running(host)
    hub.cancel(task, None)
    Task.objects.update(lease_ends_at=timezone.now() - timedelta(seconds=1))
    hub.reap()
    assert state(task) == State.CANCELED


def test_a_repeated_start_is_refused_but_to_the_host_that_was_not_answered(make: Any, host: Host) -> None:
    make()
    claim = running(host).claim
    assert hub.start(claim) is None
    assert hub.start(claim, again=True)


def test_a_move_that_the_table_does_not_know_is_refused(make: Any) -> None:
    with pytest.raises(ValueError, match="cannot go from free to completed"):
        move(make(), State.COMPLETED)


@pytest.mark.parametrize(("children", "parent"), [
    (["free", "free"], "free"), (["assigned", "free"], "free"), (["running", "free"], "running"),
    (["completed", "free"], "running"), (["completed", "completed"], "completed"), (["completed", "failed"], "failed"),
    (["failed", "canceled", "running"], "failed"), (["canceled", "completed"], "canceled"), ([], "free"),
])  # fmt: skip
def test_the_state_of_a_parent_is_its_childrens(children: list[str], parent: str) -> None:
    assert parent_state(children) == parent


def test_a_parent_runs_and_completes_with_its_children(family: Family, host: Host) -> None:
    parent, (first, last) = family(2)
    won = claimed(host)
    assert (won.pk, state(parent), hub.claim(host)) == (first.pk, State.FREE, None)
    hub.start(won.claim)
    assert state(parent) == State.RUNNING
    hub.finish(won.claim, {})
    won = running(host)
    assert (won.pk, state(parent)) == (last.pk, State.RUNNING)
    hub.finish(won.claim, {})
    assert state(parent) == State.COMPLETED


def test_a_failed_child_ends_its_parent_and_what_has_not_started(family: Family, host: Host) -> None:
    parent, (first, second, last) = family(3)
    failing, going_on = running(host), running(host)
    hub.fail(failing.claim, reason="It does not compile.", kind="build", cause="compile", decisive=["error: x"])
    parent.refresh_from_db()
    assert parent.cause == "compile"
    assert (parent.state, parent.reason, parent.kind) == (State.FAILED, "child 0: It does not compile.", "build")
    assert parent.decisive == ["error: x"]
    assert (state(first), state(second), state(last)) == (State.FAILED, State.RUNNING, State.CANCELED)
    assert hub.finish(going_on.claim, {})
    assert state(parent) == State.FAILED


def test_retry_of_a_parent_begins_again_what_did_not_complete(family: Family, host: Host) -> None:
    parent, (first, second, last) = family(3)
    done, failing = running(host), running(host)
    hub.finish(done.claim, {})
    hub.fail(failing.claim, reason="No.", kind="build", decisive=[])
    hub.retry(parent, None)
    assert [state(task) for task in (parent, first, second, last)] == ["running", "completed", "free", "free"]
    assert (parent.reason, parent.finished_at) == ("", None)
    for _ in range(2):
        hub.finish(running(host).claim, {})
    assert state(parent) == State.COMPLETED


def test_retry_of_a_child_revives_its_parent_and_what_ended_because_of_it(family: Family, host: Host) -> None:
    parent, (first, last) = family(2)
    hub.fail(running(host).claim, reason="No.", kind="build", decisive=[])
    hub.retry(first, None)
    assert [state(task) for task in (parent, first, last)] == ["free", "free", "free"]


def test_retry_is_refused_with_a_sentence(family: Family, host: Host) -> None:
    parent, (first, last) = family(2)
    with pytest.raises(InputError, match=f"Task {parent.pk} is waiting"):
        hub.retry(parent, None)
    hub.fail(running(host).claim, reason="No.", kind="build", decisive=[])
    with pytest.raises(InputError, match=f"It needs task {first.pk}"):
        hub.retry(last, None)


def test_cancel_of_a_parent_reaches_all_beneath_it(family: Family, host: Host) -> None:
    parent, (first, second, last) = family(3)
    claim = running(host).claim
    hub.cancel(parent, None)
    assert [state(task) for task in (first, second, last)] == ["running", "canceled", "canceled"]
    assert parent.state == State.CANCELED
    assert hub.beat(claim).cancel
    hub.fail(claim, reason="", kind="canceled", decisive=[])
    assert (state(first), state(parent)) == ("canceled", "canceled")


def test_a_failed_dependency_fails_what_needs_it_elsewhere(make: Any, host: Host) -> None:
    needed = make("chroot")
    waiting = make("build", dependencies=[needed])
    hub.fail(running(host).claim, reason="Mirror is gone.", kind="build", decisive=[])
    waiting.refresh_from_db()
    assert (waiting.state, waiting.kind) == (State.FAILED, "build")
    assert "Mirror is gone." in waiting.reason


def test_nothing_is_submitted_beneath_what_ended(make: Any) -> None:
    parent = make("family", "family", is_parent=True)
    hub.cancel(parent, None)
    with pytest.raises(InputError, match="takes no further tasks"):
        make(parent=parent)
    with pytest.raises(InputError, match="Nothing can depend on"):
        make(dependencies=[parent])
    with pytest.raises(InputError, match="no task method 'unknown'"):
        make("x", "unknown")


def test_priority_of_a_parent_is_its_childrens(family: Family, make: Any, host: Host) -> None:
    other = make()
    parent, (first, _) = family(2)
    hub.set_priority(parent, 5, None)
    assert [claimed(host).pk, claimed(host).pk] == [first.pk, other.pk]
