"""What a person at a terminal, or the reader of a log, is told of a task."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from debatomic.follow import Screen, View, view
from hosts.models import Channel, Host, State, Task

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RUNNING = {"phase": "build", "number": 5, "total": 8, "fraction": 0.4, "detail": "make"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def seen(seconds: float, *, step: str = "5/8 build", detail: str = "40%") -> View:
    now = NOON + timedelta(seconds=seconds)
    return View(title="figlet", state="running", step=step, detail=detail, since=NOON, now=now)


def test_a_line_says_what_since_when_and_how_far() -> None:
    assert seen(187).line == "figlet: running since 12:00:00 (3:07) — 5/8 build, 40%"
    assert seen(5, step="", detail="").line == "figlet: running since 12:00:00 (0:05)"


def test_a_terminal_gets_one_line_that_is_overwritten() -> None:
    out = Terminal()
    screen = Screen(out)
    screen.show(seen(1))
    screen.show(seen(2))
    screen.clear()
    assert "\n" not in out.getvalue()
    assert out.getvalue().count("\r\x1b[K") == 3


def test_a_log_gets_a_line_per_step_and_one_now_and_then() -> None:
    out, moment = io.StringIO(), 0.0
    screen = Screen(out, clock=lambda: moment)
    for moment, step in ((0, "1/8 source"), (5, "1/8 source"), (6, "2/8 base"), (20, "2/8 base"), (40, "2/8 base")):
        screen.show(seen(moment, step=step))
    screen.clear()
    assert [line.split("(")[1][:4] for line in out.getvalue().splitlines()] == ["0:00", "0:06", "0:40"]


@pytest.fixture
def parent(default_channel: Channel) -> Task:
    return Task.objects.create(method="build", title="figlet for trixie", channel=default_channel, is_parent=True)


def test_the_running_child_is_shown_with_its_progress(parent: Task, host: Host) -> None:
    waiting = {"method": "build-arch", "channel": parent.channel, "parent": parent, "architecture": "amd64"}
    Task.objects.create(title="first", **waiting)
    child = Task.objects.create(title="second", **waiting)
    Task.objects.filter(pk=child.pk).update(
        state=State.RUNNING, host=host, claim="7a9c9f8e-0000-4000-8000-000000000001",
        lease_ends_at=timezone.now() + timedelta(minutes=1), started_at=timezone.now(), progress=RUNNING,
    )  # fmt: skip
    shown = view(parent)
    assert (shown.title, shown.state, shown.step, shown.detail) == ("second", "running", "5/8 build", "40% make")


def test_a_task_that_waits_says_why(parent: Task) -> None:
    Task.objects.create(method="build-arch", title="for a rare machine", channel=parent.channel, parent=parent,
                        architecture="riscv64")  # fmt: skip
    shown = view(parent)
    assert shown.title == "for a rare machine"
    assert shown.detail
