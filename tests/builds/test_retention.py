"""Retention: what is old goes, a batch at a time; what a tag, a compose or a live task refers to stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from builds.models import BinaryPackage, Build, TagEntry, Target
from composes.models import Compose
from hosts import hub
from hosts.fleet import statistics
from hosts.kept import retention
from hosts.models import Artifact, Channel, Host, Task
from tests import scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def target(default_channel: Channel) -> Target:
    return scene.target(default_channel)


@pytest.fixture
def built(target: Target, host: Host, users: Any, tmp_path: Path) -> Callable[..., Build]:
    """A build with one package and a sealed log, which ended so many days ago."""

    def make(source: str, *, days: float = 100, tagged: bool = False) -> Build:
        build = scene.build(users["packager"], target, source=source)
        scene.complete(scene.begin(build, host), tmp_path, name=f"{source}_2.2.5-3_amd64.deb", content=source.encode())
        if not tagged:
            TagEntry.objects.filter(build=build).delete()
        task = build.task.children.get()
        Artifact.objects.create(task=task, name="build-1.log.zst", kind="log", sha256="1" * 64, size=7)
        ended = timezone.now() - timedelta(days=days)
        Task.objects.filter(pk__in=[task.pk, build.task_id]).update(finished_at=ended)
        return build

    return make


def left() -> list[str]:
    return sorted(Build.objects.values_list("source", flat=True))


def test_old_tasks_go_with_all_that_belongs_to_them(built: Any) -> None:
    built("old"), built("young", days=1), built("tagged", tagged=True)
    assert retention.remove("tasks", 30) == 0  # not in the statistics yet
    while statistics.count():
        pass
    [plan] = retention.plans(retention.Ages(tasks=30))
    assert (plan.number, plan.size, [one.partition(": ")[2] for one in plan.examples]) == (
        1, 10, ["old 2.2.5-3 for trixie"])  # fmt: skip
    assert left() == ["old", "tagged", "young"]
    assert [retention.remove("tasks", 30) for _ in range(2)] == [1, 0]
    assert left() == ["tagged", "young"]
    assert not Task.objects.filter(title__startswith="old").exists()
    assert not Artifact.objects.filter(name__startswith="old").exists()


def test_logs_and_artifacts_have_ages_of_their_own(built: Any) -> None:
    old, tagged = built("old"), built("tagged", tagged=True)
    assert [(plan.kind, plan.number) for plan in retention.plans(retention.Ages(logs=30, artifacts=200))] == [
        ("logs", 1), ("artifacts", 0)]  # fmt: skip
    assert retention.remove("logs", 30) == 1
    assert set(Artifact.objects.filter(kind="log").values_list("task__parent", flat=True)) == {tagged.task_id}
    assert retention.remove("artifacts", 30) == 1
    assert [one.build for one in BinaryPackage.objects.all()] == [tagged]
    assert old.task.children.get().state == "completed"


def test_what_a_live_task_refers_to_stays(built: Any, default_channel: Channel) -> None:
    needed, named, other = built("needed"), built("named"), built("other")
    while statistics.count():
        pass
    common: dict[str, Any] = {"channel": default_channel, "by": None}
    waiting = [
        hub.submit("publish", "depends", request={}, dependencies=[needed.task.children.get()], **common),
        hub.submit("publish", "names", request={"tree": named.artifacts.get(kind="binary").sha256}, **common),
    ]
    kinds = ("logs", "artifacts", "tasks")
    assert [retention.remove(kind, 30) for kind in kinds] == [1, 1, 1]
    assert left() == ["named", "needed"] and not Build.objects.filter(pk=other.pk).exists()
    Task.objects.filter(pk__in=[task.pk for task in waiting]).update(state="completed")
    assert [retention.remove(kind, 30) for kind in kinds] == [2, 2, 2]


def test_composes_stay(users: Any, target: Target, host: Host) -> None:
    compose = scene.compose(users["packager"], target.channel)
    scene.fail(scene.begin(compose, host))
    Task.objects.update(finished_at=timezone.now() - timedelta(days=999))
    while statistics.count():
        pass
    assert [retention.remove(kind, 1) for kind in ("logs", "artifacts", "tasks")] == [0, 0, 0]
    assert Compose.objects.get() == compose


def test_many_go_in_batches(built: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for number in range(5):
        built(f"p{number}")
    assert [retention.remove("logs", 30) for _ in range(4)] == [2, 2, 1, 0]


def test_the_command_and_the_page_say_what_would_go(
    built: Any, client_of: Callable[[str], Client], capsys: pytest.CaptureFixture[str]
) -> None:
    built("old")
    call_command("retention")
    call_command("retention", "--logs", "30")
    said = capsys.readouterr().out
    assert "No age is set: nothing would go.\nwould remove 1 logs older than 30 days, 7 B\n  build-1.log.zst of" in said
    client = client_of("administrator")
    assert "build-1.log.zst of task" in client.get("/retention/?logs=30").content.decode()
    [plan] = client.get("/api/v1/retention/?artifacts=30").json()
    assert (plan["kind"], plan["number"], plan["size"]) == ("artifacts", 1, 3)
    assert client.get("/api/v1/retention/?logs=-1").status_code == 400
    assert Artifact.objects.count() == 2
    call_command("retention", "--logs", "30", "--remove")
    assert Artifact.objects.count() == 1


def test_ticks_remove_what_the_settings_say(built: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_next_at", 0.0)
    built("old")
    assert retention.tend() == 0
    settings.KEEP_LOGS_DAYS = 30
    assert (retention.tend(), retention.tend()) == (1, 0)
