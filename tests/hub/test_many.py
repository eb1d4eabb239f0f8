"""Many tasks at once, chains, circles, submitting again, and priorities of whole families."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from builds.models import Build
from debatomic.access.models import User
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.hub import bulk
from hosts.models import Channel, Host, State, Task
from hosts.queue.wishes import Wishes
from tests import scene

pytestmark = pytest.mark.django_db
JSON = "application/json"


def states(*tasks: Task) -> list[str]:
    return [Task.objects.get(pk=task.pk).state for task in tasks]


def fail_next(host: Host) -> Task:
    won = hub.claim(host)
    assert won and won.claim and hub.start(won.claim) and hub.fail(won.claim, reason="No.", kind="build")
    return won


class TestBulk:
    def test_what_lives_is_canceled_and_what_may_not_be_is_told(self, make: Any, users: dict[str, User]) -> None:
        packager, other = users["packager"], users["release-manager"]
        mine, theirs = [make(by=packager), make(by=packager)], make(by=other)
        batch = hub.cancel_many(Task.objects.all(), by=packager)
        assert (batch.done, batch.more) == ([task.pk for task in mine], False)
        assert batch.refused == {theirs.pk: "Your role does not allow this."}
        assert states(*mine, theirs) == ["canceled", "canceled", "free"]

    def test_a_batch_is_bounded(self, make: Any, users: dict[str, User], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bulk, "MOST", 2)
        made = [make(by=users["packager"]) for _ in range(3)]
        assert hub.cancel_many(Task.objects.all(), by=users["packager"]).more
        batch = hub.cancel_many(Task.objects.all(), by=users["packager"])
        assert (batch.done, batch.more) == ([made[2].pk], False)

    def test_retry_takes_what_failed_and_says_what_cannot_be(
        self, make: Any, host: Host, users: dict[str, User]
    ) -> None:
        manager = users["release-manager"]
        first = make()
        waits = make(dependencies=[first])
        fail_next(host)
        assert states(first, waits) == ["failed", "failed"]
        batch = hub.retry_many(Task.objects.filter(pk=waits.pk), by=manager)
        assert (batch.done, list(batch.refused)) == ([], [waits.pk])
        assert f"It needs task {first.pk}" in batch.refused[waits.pk]
        assert hub.retry_many(Task.objects.all(), by=manager).done == [first.pk, waits.pk]

    def test_a_family_is_retried_once(self, family: Any, host: Host, users: dict[str, User]) -> None:
        parent, [first, last] = family(2)
        fail_next(host)
        batch = hub.retry_many(Task.objects.all(), by=users["release-manager"])
        assert (batch.done, batch.refused) == ([parent.pk], {})
        assert states(parent, first, last) == ["free", "free", "free"]

    @pytest.mark.parametrize(("asked", "field"), [
        ({}, "ids"), ({"ids": []}, "ids"), ({"ids": [1], "filter": {"state": "free"}}, "ids"),
        ({"ids": [999999]}, "ids"), ({"ids": ["x"]}, "ids"), ({"filter": {}}, "filter"),
        ({"filter": {"colour": "red"}}, "filter"), ({"filter": {"state": "red"}}, "state"),
    ])  # fmt: skip
    def test_the_api_says_what_is_wrong(
        self, make: Any, client_of: Callable[[str], Client], asked: dict[str, Any], field: str
    ) -> None:
        answer = client_of("release-manager").post("/api/v1/tasks/cancel/", asked, content_type=JSON)
        assert (answer.status_code, list(answer.json())) == (400, [field])

    def test_the_api_by_filter_and_by_ids(self, make: Any, client_of: Callable[[str], Client]) -> None:
        client = client_of("release-manager")
        one, two = make(architecture="amd64"), make(architecture="arm64")
        asked = {"filter": {"architecture": "amd64", "state": "free"}}
        answer = client.post("/api/v1/tasks/cancel/", asked, content_type=JSON)
        assert answer.json() == {"done": [one.pk], "refused": {}, "more": False}
        assert client.post("/api/v1/tasks/retry/", {"ids": [one.pk, two.pk]}, content_type=JSON).json()["done"] == [
            one.pk]  # fmt: skip

    def test_the_page(self, make: Any, client_of: Callable[[str], Client]) -> None:
        client = client_of("release-manager")
        one, two, three = make(), make(), make(architecture="amd64")
        assert f'id="pick-{one.pk}"' in client.get("/tasks/").content.decode()
        assert "pick-" not in client_of("viewer").get("/tasks/").content.decode()
        answer = client.post("/tasks/bulk/", {"verb": "cancel", "ids": [one.pk, two.pk], "filter": "state=free"},
                             follow=True)  # fmt: skip
        assert answer.redirect_chain[0][0] == "/tasks/?state=free"
        assert "2 tasks are being canceled." in answer.content.decode()
        assert states(one, two, three) == ["canceled", "canceled", "free"]
        nothing = client.post("/tasks/bulk/", {"verb": "cancel", "filter": ""}, follow=True).content.decode()
        assert "Tick the tasks that are meant" in nothing and states(three) == ["free"]
        client.post("/tasks/bulk/", {"verb": "cancel", "filter": "architecture=amd64"})
        assert states(three) == ["canceled"]


class TestDependencies:
    def test_a_waiting_task_waits_for_one_more(self, make: Any, host: Host) -> None:
        first, second = make("first"), make("second")
        hub.depend(first, [second], None)
        won = hub.claim(host)
        assert won == second and hub.claim(host) is None
        assert won and won.claim and hub.start(won.claim) and hub.finish(won.claim, {})
        assert hub.claim(host) == first

    def test_circles_are_refused_with_the_way(self, make: Any, family: Any) -> None:
        first = make()
        second = make(dependencies=[first])
        third = make(dependencies=[second])
        with pytest.raises(InputError, match=f"{first.pk} → {third.pk} → {second.pk} → {first.pk}") as refused:
            hub.depend(first, [third], None)
        assert refused.value.field == "dependencies"
        with pytest.raises(InputError, match=f"{first.pk} → {first.pk}"):
            hub.depend(first, [first], None)
        parent, [child, _] = family(2)
        with pytest.raises(InputError, match=f"{child.pk} → {parent.pk} → {child.pk}"):
            hub.depend(child, [parent], None)
        hub.depend(first, [parent], None)
        with pytest.raises(InputError, match="wait for each other"):
            hub.depend(child, [third], None)

    def test_what_has_ended_neither_waits_nor_is_waited_for(self, make: Any) -> None:
        ended, waiting = make(), make()
        hub.cancel(ended, None)
        with pytest.raises(InputError, match="only a task that waits"):
            hub.depend(ended, [waiting], None)
        with pytest.raises(InputError, match="Nothing can depend"):
            hub.depend(waiting, [ended], None)

    def test_the_api(self, make: Any, client_of: Callable[[str], Client]) -> None:
        first, second = make(), make()
        client, address = client_of("release-manager"), f"/api/v1/tasks/{first.pk}/dependencies/"
        made = client.post(address, {"dependencies": [second.pk]}, content_type=JSON).json()
        assert made["dependencies"] == [second.pk]
        assert made["why_waiting"] == f"Waits for task {second.pk} (work)."
        wrong = client.post(address, {"dependencies": [first.pk]}, content_type=JSON)
        assert (wrong.status_code, list(wrong.json())) == (400, ["dependencies"])

    def test_two_dependencies_that_complete(self, make: Any, host: Host) -> None:
        one, two = make(), make()
        task = make(dependencies=[one, two])
        for expected in (True, False):
            won = hub.claim(host)
            assert won and won.claim and hub.start(won.claim) and hub.finish(won.claim, {})
            task.refresh_from_db()
            assert (task.ready_at is None) == expected


class TestAgain:
    def test_a_task_alone(self, make: Any, users: dict[str, User]) -> None:
        images = Channel.objects.create(name="images")
        task = make("work", limits={"memory": 1000, "disk": 5}, by=users["packager"], priority=20)
        with pytest.raises(InputError, match="has not ended"):
            hub.resubmit(task, by=users["packager"], wishes=Wishes())
        hub.cancel(task, users["packager"])
        made = hub.resubmit(task, by=users["packager"], wishes=Wishes(
            priority=30, limits={"memory": 2000}, channel=images))  # fmt: skip
        assert (made.state, made.priority, made.channel, made.limits) == (
            State.FREE, 30, images, {"memory": 2000, "disk": 5})  # fmt: skip
        with pytest.raises(InputError, match="more urgent than 20") as refused:
            hub.resubmit(task, by=users["packager"], wishes=Wishes(priority=1))
        assert refused.value.field == "priority"

    def test_a_part_of_something_larger_is_not_submitted_alone(self, family: Any, users: dict[str, User]) -> None:
        parent, [child, _] = family(2)
        hub.cancel(parent, None)
        for task in (parent, child):
            task.refresh_from_db()
            with pytest.raises(InputError, match="part of something larger"):
                hub.resubmit(task, by=users["packager"], wishes=Wishes())


@pytest.mark.parametrize("method", ["move", "repository", "repository-prune", "build-check", "attest"])
def test_what_a_row_stands_for_is_not_submitted_without_it(
    method: str, default_channel: Channel, users: dict[str, User]
) -> None:
    """With the methods as they are registered in the application: nobody goes past the journal of releases."""
    task = hub.submit(method, "done before", request={}, by=users["release-manager"], channel=default_channel)
    hub.cancel(task, None)
    with pytest.raises(InputError, match=f"method {method} is not submitted alone"):
        hub.resubmit(task, by=users["release-manager"], wishes=Wishes())
    assert Task.objects.count() == 1


class TestBuilds:
    """With the methods as they are registered in the application."""

    @pytest.fixture
    def build(self, default_channel: Channel, users: dict[str, User]) -> Build:
        return scene.build(users["packager"], scene.target(default_channel))

    def test_a_build_again_with_changes(self, build: Build, client_of: Callable[[str], Client]) -> None:
        client, address = client_of("packager"), f"/api/v1/builds/{build.pk}/resubmit/"
        assert client.post(address, {}, content_type=JSON).status_code == 409
        build.cancel(by=build.created_by)
        asked = {"priority": 30, "limits": {"processors": 0.5}, "retries": {"build": {"attempts": 2}}}
        made = client.post(address, asked, content_type=JSON)
        assert made.status_code == 201, made.json()
        again = Build.objects.get(pk=made.json()["id"])
        child = again.task.children.get()
        assert (again.source, again.files, again.state) == (build.source, build.files, "free")
        assert (again.task.priority, child.priority, child.limits["processors"]) == (30, 30, 0.5)
        assert child.retries == {"build": {"attempts": 2}}
        assert (child.request["build_type"], child.request["chroot"]) == ("binary", "trixie-amd64")

    def test_the_page(self, build: Build, client_of: Callable[[str], Client]) -> None:
        client, address = client_of("packager"), f"/builds/{build.pk}/resubmit/"
        assert "Resubmit" not in client.get(f"/builds/{build.pk}/").content.decode()
        build.cancel(by=build.created_by)
        assert "Resubmit" in client.get(f"/builds/{build.pk}/").content.decode()
        wrong = client.post(address, {"priority": 3, "memory": -1})
        assert wrong.status_code == 422 and "greater than or equal to 0.01" in wrong.content.decode()
        wrong = client.post(address, {"priority": 3})
        assert wrong.status_code == 422 and "more urgent than 20" in wrong.content.decode()
        made = client.post(address, {"priority": 40, "memory": 1.5, "processors": 0.5, "hours": 2})
        child = Build.objects.latest("pk").task.children.get()
        assert made["Location"] == f"/builds/{Build.objects.latest('pk').pk}/"
        assert child.limits == {"time_limit": 7200, "idle_limit": 3600, "memory": 3 << 29, "processors": 0.5}

    @pytest.mark.parametrize(("asked", "field"), [
        ({"priority": -1}, "priority"), ({"priority": 1}, "priority"), ({"limits": {"luck": 1}}, "limits"),
        ({"limits": 3}, "limits"), ({"retries": {"build": 1}}, "retries"), ({"channel": "nowhere"}, "channel"),
        ({"after": [999999]}, "after"),
    ])  # fmt: skip
    def test_what_is_wrong_is_told_by_its_field(
        self, build: Build, client_of: Callable[[str], Client], asked: dict[str, Any], field: str
    ) -> None:
        build.cancel(by=build.created_by)
        answer = client_of("packager").post(f"/api/v1/builds/{build.pk}/resubmit/", asked, content_type=JSON)
        assert (answer.status_code, list(answer.json())) == (400, [field])
        assert Build.objects.count() == 1

    def test_a_chain_of_builds(self, build: Build, host: Host, client_of: Callable[[str], Client]) -> None:
        client = client_of("packager")
        first = scene.build(build.created_by, build.target, source="jq")
        build.cancel(by=build.created_by)
        made = client.post(f"/api/v1/builds/{build.pk}/resubmit/", {"after": [first.pk]}, content_type=JSON)
        waiting = Build.objects.get(pk=made.json()["id"]).task.children.get()
        assert client.get(f"/api/v1/tasks/{waiting.pk}/").json()["why_waiting"].startswith("Waits for task")
        won = hub.claim(host)
        assert won and won.parent_id == first.task_id and won.claim and hub.start(won.claim)
        assert hub.claim(host) is None
        hub.finish(won.claim, {})
        assert hub.claim(host) == waiting


def test_the_priority_of_a_family_reaches_its_grandchildren(make: Any, client_of: Callable[[str], Client]) -> None:
    top = make("family", "family", is_parent=True)
    middle = make("family", "family", is_parent=True, parent=top)
    bottom = make(parent=middle)
    client = client_of("release-manager")
    assert client.post(f"/tasks/{top.pk}/priority/", {"priority": 7})["Location"] == top.get_absolute_url()
    assert set(Task.objects.values_list("priority", flat=True)) == {7}
    wrong = client.post(f"/tasks/{top.pk}/priority/", {"priority": -1}, follow=True).content.decode()
    assert "A priority is a whole number" in wrong
    assert make(parent=middle).priority == 7
    hub.cancel(bottom, None)
    with pytest.raises(InputError, match="is canceled"):
        hub.set_priority(bottom, 3, None)


@pytest.mark.parametrize("method, mine", [("build-arch", True), ("move", False), ("compose", False), ("doctor", False)])
def test_ones_own_is_done_again_only_with_the_right_to_ask_for_such_work(
    method: str, mine: bool, default_channel: Channel, users: dict[str, User]
) -> None:
    """Whoever was a release manager once, and is a packager now."""
    task = hub.submit(method, "asked for then", request={}, by=users["packager"], channel=default_channel)
    hub.cancel(task, None)
    task.refresh_from_db()
    assert (task.can_retry(users["packager"]), task.can_resubmit(users["packager"])) == (mine, mine)
    assert task.can_retry(users["release-manager"])
