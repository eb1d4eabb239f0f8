"""Chroots of the application: made, changed, deleted; refreshed on hosts, by people and by schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from builds.models import Tag, Target
from chroots import editing, manifests, methods, schedule, upkeep
from chroots.engine.building.failure import Cause
from chroots.models import Chroot, ChrootCopy, Refresh
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError, ToolError
from hosts import hub, registry
from hosts.causes import CAUSES
from hosts.kept import store
from hosts.models import Channel, Host, State, Task
from hosts.registry import Job
from tests import scene

pytestmark = pytest.mark.django_db
SMALL = "suite: trixie\narchitecture: amd64\nvariant: minbase\n"


@pytest.fixture
def somebody(db: None) -> User:
    return User.objects.create_user("somebody")


@pytest.fixture
def small(somebody: User, default_channel: Channel) -> Chroot:
    return editing.create("small", SMALL, by=somebody)


def another_host(channel: Channel, name: str = "builder-2") -> Host:
    made = Host.objects.create(name=name, architectures=["amd64"], seen_at=timezone.now())
    made.channels.add(channel)
    return made


def acts() -> list[str]:
    return list(AuditEntry.objects.order_by("pk").values_list("act", flat=True))


# Made and changed


def test_a_chroot_has_what_its_definition_says(small: Chroot, somebody: User) -> None:
    small.refresh_from_db()
    assert (small.suite, small.architecture, small.variant, small.components) == (
        "trixie",
        "amd64",
        "minbase",
        ["main"],
    )
    assert (small.created_by, small.refresh_at, acts()) == (somebody, None, ["chroot.create"])


@pytest.mark.parametrize("name, text, field", [
    ("small", SMALL, "name"), ("New", SMALL, "name"), ("other", "suite: trixie\n", "definition"),
    ("other", "", "definition"), ("other", "suite: " + "x" * 50 + "\narchitecture: amd64\n", "definition"),
])  # fmt: skip
def test_what_cannot_be_made(small: Chroot, somebody: User, name: str, text: str, field: str) -> None:
    with pytest.raises(InputError) as refused:
        editing.create(name, text, by=somebody)
    assert refused.value.field == field
    assert Chroot.objects.count() == 1


def test_changes_are_checked_and_noted(small: Chroot, somebody: User) -> None:
    editing.change(small, text=SMALL.replace("trixie", "sid"), refresh_hours=24, by=somebody)
    editing.change(small, enabled=False, by=somebody)
    editing.change(small, enabled=False, refresh_hours=24, by=somebody)  # nothing new
    small.refresh_from_db()
    assert (small.suite, small.enabled, small.refresh_hours) == ("sid", False, 24)
    assert small.refresh_at is not None and small.refresh_at > timezone.now() + timedelta(hours=23)
    assert acts() == ["chroot.create", "chroot.edit", "chroot.disable"]
    with pytest.raises(InputError):
        editing.change(small, text="suite: trixie\n", by=somebody)
    shipped = editing.create("trixie-amd64", by=somebody)
    with pytest.raises(InputError, match="comes with DebAtomic"):
        editing.change(shipped, text=SMALL, by=somebody)


def test_what_a_target_needs_is_not_deleted(small: Chroot, somebody: User, default_channel: Channel) -> None:
    target = Target.objects.create(name="house", tag=Tag.objects.create(name="house"), channel=default_channel)
    target.chroots.add(small)
    with pytest.raises(ToolError, match="The target house builds in it"):
        editing.delete(small, by=somebody)
    target.delete()
    assert editing.delete(small, by=somebody) == 0
    assert not Chroot.objects.exists()
    assert acts()[-1] == "chroot.delete"


def test_hosts_remove_the_copies_of_what_is_deleted(small: Chroot, host: Host, somebody: User, tmp_path: Path) -> None:
    scene.refreshed(small, host, {"apt": "3.0"}, tmp_path)
    assert editing.delete(small, by=somebody) == 1
    task = hub.claim(host)
    assert task is not None
    assert (task.method, task.request["definition"], task.only_on) == ("chroot-scrub", SMALL, host)


# What hosts are told


def job(request: dict[str, str], folder: Path) -> Job:
    return Job(task=1, attempt=1, claim="", method="", title="", architecture="amd64", request=request, limits={},
               folder=folder)  # fmt: skip


def test_a_definition_goes_with_the_task(small: Chroot, tmp_path: Path) -> None:
    command = methods.init_command(job(small.request, tmp_path))
    folder = command[command.index("--definitions") + 1]
    assert Path(folder, "small.yaml").read_text() == SMALL
    assert "--definitions" not in methods.init_command(job({"chroot": "trixie-amd64", "definition": ""}, tmp_path))


# Refreshes


def test_a_refresh_lists_packages_and_what_changed(small: Chroot, host: Host, tmp_path: Path) -> None:
    before = scene.refreshed(small, host, {"apt": "3.0", "dpkg": "1.22", "nano": "8.4"}, tmp_path)
    after = scene.refreshed(small, host, {"apt": "3.1", "dpkg": "1.22", "sed": "4.9"}, tmp_path)
    assert (before.packages, before.added, before.removed, before.upgraded) == (3, None, None, None)
    assert (after.added, after.removed, after.upgraded, after.is_by_build) == (1, 1, 1, False)
    found = manifests.rows(manifests.difference(before.manifest, after.manifest))
    assert [(one.what, one.name, one.before, one.after) for one in found] == [
        ("upgraded", "apt", "3.0", "3.1"), ("added", "sed", "", "4.9"), ("removed", "nano", "8.4", ""),
    ]  # fmt: skip
    assert manifests.search(manifests.packages(after.manifest), "D") == [("dpkg", "1.22"), ("sed", "4.9")]
    copy = ChrootCopy.objects.get()
    assert (copy.host, copy.packages, copy.base_id) == (host, 3, after.base_id)


def test_every_host_that_has_it_is_refreshed(
    small: Chroot, host: Host, default_channel: Channel, tmp_path: Path
) -> None:
    scene.refreshed(small, host, {"apt": "3.0"}, tmp_path)
    other, silent = another_host(default_channel), another_host(default_channel, "builder-3")
    for one in (other, silent):
        ChrootCopy.objects.create(chroot=small, host=one, base_id="x")
    Host.objects.filter(pk=silent.pk).update(seen_at=timezone.now() - timedelta(hours=1))
    parent = small.refresh(by=None)
    assert (parent.method, parent.is_parent) == ("chroot-refresh", True)
    assert [task.only_on for task in parent.children.order_by("pk")] == [host, other]
    first, second = hub.claim(other), hub.claim(other)
    assert first is not None and first.only_on == other
    assert second is None  # the other one is not for it
    with pytest.raises(ToolError, match="is being refreshed already"):
        small.refresh(by=None)


def test_a_disabled_chroot_is_not_refreshed(small: Chroot, somebody: User) -> None:
    editing.change(small, enabled=False, by=somebody)
    with pytest.raises(InputError, match="small is disabled"):
        small.refresh(by=somebody)


def test_a_build_that_made_the_base_anew_is_a_refresh(small: Chroot, host: Host, somebody: User) -> None:
    target = Target.objects.create(name="t", tag=Tag.objects.create(name="t"), channel=Channel.objects.get())
    target.chroots.add(small)
    made_at = int(timezone.now().timestamp()) + 1
    for number, made in enumerate((made_at, made_at, made_at - 7200)):
        task = scene.begin(scene.build(somebody, target), host)
        request = {**task.request, "chroot": "small"}
        Task.objects.filter(pk=task.pk).update(request=request)
        base = {"identity": f"id-{made}", "packages": 80, "size": 1, "made_at": made}
        assert task.claim is not None and hub.finish(task.claim, {"base": base})
        assert Refresh.objects.count() == 1, number  # the second used it, the third used an old one
    assert Refresh.objects.get().is_by_build


def test_lists_of_packages_are_kept_while_their_refresh_is(small: Chroot, host: Host, tmp_path: Path) -> None:
    refresh = scene.refreshed(small, host, {"apt": "3.0"}, tmp_path)
    refresh.task.artifacts.all().delete()
    assert registry.named({refresh.manifest, "0" * 64}) == {refresh.manifest}
    refresh.delete()
    assert registry.named({refresh.manifest}) == set()
    store.path(refresh.manifest).unlink()
    manifests.packages.cache_clear()
    with pytest.raises(ToolError, match="not kept any more"):
        manifests.packages(refresh.manifest)


# By schedule


@pytest.mark.parametrize("due, hours, now, after", [
    (10, 24, 10, 34), (10, 24, 33, 34), (10, 24, 34, 58), (10, 6, 100, 106), (10, 0, 10, None),
])  # fmt: skip
def test_a_schedule_keeps_its_hour(due: int, hours: int, now: int, after: int | None) -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    found = schedule.next_time(begin + timedelta(hours=due), hours, begin + timedelta(hours=now))
    assert found == (None if after is None else begin + timedelta(hours=after))


def test_what_is_due_is_refreshed_once(small: Chroot, host: Host, somebody: User) -> None:
    editing.change(small, refresh_hours=24, by=somebody)
    schedule.refresh_due()
    assert not Task.objects.exists()
    Chroot.objects.update(refresh_at=timezone.now() - timedelta(minutes=1))
    schedule.refresh_due()
    schedule.refresh_due()
    task = Task.objects.get()
    assert (task.method, task.created_by) == ("chroot-init", None)
    small.refresh_from_db()
    assert small.refresh_at is not None and small.refresh_at > timezone.now() + timedelta(hours=23)
    Chroot.objects.update(
        refresh_at=timezone.now() - timedelta(minutes=1)
    )  # it is still being refreshed: once is enough
    schedule.refresh_due()
    assert Task.objects.count() == 1
    Chroot.objects.update(enabled=False, refresh_at=timezone.now() - timedelta(minutes=1))
    Task.objects.update(state=State.CANCELED)
    schedule.refresh_due()
    assert Task.objects.count() == 1


# Copies and hosts


def test_a_scrubbed_copy_is_forgotten_unless_it_stayed(
    small: Chroot, host: Host, somebody: User, tmp_path: Path
) -> None:
    scene.refreshed(small, host, {"apt": "3.0"}, tmp_path)
    for stayed, left in ((["base x is in use"], 1), ([], 0)):
        task = upkeep.scrub(small, host, by=somebody)
        won = hub.claim(host)
        assert won == task and won is not None and won.claim and hub.start(won.claim)
        assert hub.finish(won.claim, {"counts": {}, "bytes": 0, "stayed": stayed})
        assert small.copies.count() == left
    with pytest.raises(InputError, match="has no copy of small"):
        upkeep.clean(small, host, by=somebody)


def test_a_host_that_takes_no_tasks_cannot_look_at_itself(host: Host, somebody: User) -> None:
    task = hub.doctor(host, by=somebody)
    assert (task.method, task.only_on, acts()) == ("doctor", host, ["host.doctor"])
    host.switch("disable", by=somebody)
    with pytest.raises(InputError, match="builder-1 is switched off, so it takes no tasks"):
        hub.doctor(host, by=somebody)


def test_every_class_of_the_engine_has_a_sentence() -> None:
    assert {cause.value for cause in Cause} - {"canceled"} <= set(CAUSES)
