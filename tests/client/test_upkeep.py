"""Hosts, schedules and many tasks at once, over the API of a real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from builds.models import Build, Target
from chroots.models import Chroot
from composes.models import Compose
from debatomic.access.models import User
from debatomic.client import account
from hosts.models import Host, Registration, Schedule, State, Task
from tests import scene


@pytest.fixture
def administrator(live_server: Any, key_of: Callable[..., str]) -> account.Account:
    """The command is signed in as an administrator."""
    made = account.Account(live_server.url, key_of("administrator"))
    account.save(made)
    return made


def test_a_host_goes_out_of_service_and_back(
    debatomic: Callable[..., Any], administrator: account.Account, host: Host
) -> None:
    assert "builder-1" in debatomic("host", "list").out
    assert json.loads(debatomic("host", "list", "--json").out)[0]["name"] == "builder-1"
    assert debatomic("host", "drain", "builder-1", "--reason", "New disk").out == (
        "builder-1 is being drained: New disk.\n"
    )
    shown = debatomic("host", "show", "builder-1").out
    assert "state:" in shown and "draining" in shown and "New disk" in shown
    refused = debatomic("host", "maintenance", "builder-1")
    assert refused.status == 1 and "reason: Say what the maintenance is for." in refused.err
    for verb, state in (("maintenance", "maintenance"), ("disable", "disabled"), ("enable", "enabled")):
        assert debatomic("host", verb, "builder-1", "--reason", "x").status == 0
        host.refresh_from_db()
        assert host.state == state
    assert debatomic("host", "enable", "builder-1").out == "builder-1 takes tasks.\n"
    assert debatomic("host", "drain", "nobody").status == 1 and "Name a host." in debatomic("host", "show").err


def test_a_token_for_a_new_host(debatomic: Callable[..., Any], administrator: account.Account, host: Host) -> None:
    said = debatomic("host", "token", "builder-9", "--capacity", 4, "--architecture", "arm64", "--channel", "default",
                     "--label", "ssd", "--hours", 2, "--json")  # fmt: skip
    told = json.loads(said.out)
    made = Registration.objects.get()
    assert told["token"] and (made.name, made.capacity, made.architectures, made.labels) == (
        "builder-9", 4.0, ["arm64"], ["ssd"],
    )  # fmt: skip
    refused = debatomic("host", "token", "--channel", "nowhere")
    assert refused.status == 1 and refused.err.startswith("debatomic: channels:")
    assert "builder --register" in debatomic("host", "token").out


def test_who_may_not_switch_hosts_is_told(debatomic: Callable[..., Any], packager: account.Account, host: Host) -> None:
    said = debatomic("host", "drain", "builder-1")
    assert said.status == 1 and "Your role does not allow this." in said.err


def test_a_schedule_from_its_making_to_its_end(
    debatomic: Callable[..., Any], packager: account.Account, target: Target
) -> None:
    wrong = debatomic("schedule", "create", "nightly", "--order", "build", "--cron", "30 4 *", "--set", "source=figlet",
                      "target=trixie")  # fmt: skip
    assert wrong.status == 1 and "cron: “30 4 *” has 3 fields" in wrong.err
    made = debatomic("schedule", "create", "nightly", "--order", "build", "--cron", "30 4 * * *",
                     "--time-zone", "Europe/Berlin", "--set", "source=figlet", "target=trixie")  # fmt: skip
    assert made.status == 0 and made.out.startswith("Schedule nightly runs in "), made.err
    edited = debatomic("schedule", "edit", "nightly", "--cron", "0 5 * * *", "--set", "source=jq", "--json")
    assert json.loads(edited.out)["parameters"] == {"source": "jq", "target": "trixie"}
    schedule = Schedule.objects.get()
    assert (schedule.cron, schedule.time_zone) == ("0 5 * * *", "Europe/Berlin")
    listed = debatomic("schedule", "list").out
    assert "nightly" in listed and "0 5 * * *" in listed and listed == debatomic("list", "schedules").out
    assert "source=jq target=trixie" in debatomic("schedule", "show", "nightly").out
    assert debatomic("schedule", "disable", "nightly").out == "Schedule nightly is disabled.\n"
    assert debatomic("schedule", "enable", "nightly").out == "Schedule nightly is enabled.\n"
    assert debatomic("schedule", "delete", "nightly").status == 0
    assert not Schedule.objects.exists()


def test_a_schedule_is_run_now(
    debatomic: Callable[..., Any], administrator: account.Account, target: Target, host: Host
) -> None:
    what = f"chroot={Chroot.objects.get()}"
    debatomic("schedule", "create", "fresh", "--order", "chroot-refresh", "--cron", "0 1 * * *", "--set", what)
    said = debatomic("schedule", "run", "fresh")
    assert said.status == 0, said.err
    task = Task.objects.latest("pk")
    assert said.out == f"Task {task.pk}. `debatomic watch task {task.pk}` follows it.\n"


def test_many_are_canceled_and_retried(
    debatomic: Callable[..., Any], packager: account.Account, users: dict[str, User], target: Target
) -> None:
    builds = [scene.build(users["packager"], target, source=name) for name in ("xz-utils", "jq", "dash")]
    others = scene.build(users["administrator"], target)
    said = debatomic("tasks", "cancel", "--filter", "state=free", "created_by=packager", "--json")
    assert said.status == 0, said.err
    assert not json.loads(said.out)["refused"]
    assert {build.task.state for build in Build.objects.filter(created_by=users["packager"])} == {State.CANCELED}
    assert Build.objects.get(pk=others.pk).task.state == State.FREE
    said = debatomic("tasks", "retry", builds[0].task_id, builds[1].task_id)
    assert (said.status, said.out) == (0, "2 tasks run again.\n")
    refused = debatomic("tasks", "cancel", others.task_id)
    assert refused.status == 1 and f"Task {others.task_id}: Your role does not allow this." in refused.out
    for arguments in ((), (1, "--filter", "state=free"), ("--filter", "colour=red")):
        assert debatomic("tasks", "cancel", *arguments).status == 1
    assert "There is no task 99999." in debatomic("tasks", "cancel", 99999).err


def test_the_same_again_with_changes(
    debatomic: Callable[..., Any], packager: account.Account, users: dict[str, User], target: Target
) -> None:
    first, second = (scene.build(users["packager"], target, source=source) for source in ("figlet", "jq"))
    first.cancel(by=users["packager"])
    said = debatomic("resubmit", "build", first.pk, second.pk, "--priority", 40, "--after", second.pk)
    made = Build.objects.latest("pk")
    assert said.status == 1 and f"submitted again as build {made.pk}" in said.out
    assert f"Build {second.pk}: It has not ended." in said.out
    child = made.task.children.get()
    assert (child.priority, list(child.dependencies.all())) == (40, [second.task])


def test_a_compose_again(
    debatomic: Callable[..., Any], administrator: account.Account, world: dict[str, int | str]
) -> None:
    ended = Compose.objects.latest("pk")
    Task.objects.filter(pk=ended.task_id).update(state=State.CANCELED)
    said = debatomic("resubmit", "compose", ended.pk, "--json")
    assert said.status == 0, said.err
    assert json.loads(said.out)["made"][0]["definition"] == ended.revision.definition.name


def test_a_task_is_moved_in_the_queue(
    debatomic: Callable[..., Any], administrator: account.Account, users: dict[str, User], target: Target
) -> None:
    task = scene.build(users["packager"], target).task
    assert debatomic("priority", task.pk, 5).out == f"Task {task.pk} has priority 5.\n"
    wrong = debatomic("priority", task.pk, 5000)
    assert wrong.status == 1 and wrong.err.startswith("debatomic: priority:")
