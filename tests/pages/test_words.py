"""Times, sizes and phases in people's words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from composes.models import PHASES
from composes.phases import bars
from debatomic.templatetags import pages
from hosts.models import State, Task


@pytest.mark.parametrize(
    "seconds, text",
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (10, "10 s"), (59.9, "59 s"), (60, "1 min"), (185, "3 min 5 s"),
     (3600, "1 h"), (7440, "2 h 4 min"), (86400 * 3 + 7200, "3 d 2 h"), (timedelta(minutes=2), "2 min"), (None, "")],
)  # fmt: skip
def test_durations(seconds: Any, text: str) -> None:
    assert pages.duration(seconds) == text


@pytest.mark.parametrize(
    "number, text",
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (4300, "4.2 KiB"), (5 << 30, "5.0 GiB"), (3 << 40, "3.0 TiB"),
     (None, "")],
)  # fmt: skip
def test_sizes(number: float | None, text: str) -> None:
    assert pages.size(number) == text


@pytest.mark.parametrize(
    "passed, ago, since",
    [(2, "just now", "2 s"), (75, "1 min ago", "1 min 15 s"), (7500, "2 h ago", "2 h 5 min"), (-30, "just now", "0 s")],
)
def test_times(passed: int, ago: str, since: str) -> None:
    moment = timezone.now() - timedelta(seconds=passed, milliseconds=100)

    assert f">{ago}</time>" in pages.ago(moment)
    assert f">{since}</time>" in pages.since(moment)
    assert f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}" in pages.ago(moment)


def test_an_unknown_state_is_still_a_word() -> None:
    assert "gone</span>" in pages.state("gone")


@pytest.mark.parametrize(
    "state, progress, states",
    [
        (State.FREE, {}, "waiting waiting waiting waiting waiting waiting waiting waiting"),
        (State.RUNNING, {}, "waiting waiting waiting waiting waiting waiting waiting waiting"),
        (
            State.RUNNING,
            {"phase": "init", "number": 1},
            "running waiting waiting waiting waiting waiting waiting waiting",
        ),
        (State.RUNNING, {"phase": "ostree", "number": 4}, "done done done running waiting waiting waiting waiting"),
        (State.FAILED, {"phase": "image", "number": 6}, "done done done done done failed waiting waiting"),
        (State.CANCELED, {"phase": "test", "number": 7}, "done done done done done done canceled waiting"),
        (State.COMPLETED, {"phase": "test", "number": 7}, "done done done done done done done waiting"),
    ],
)
def test_phases_follow_the_last_report(state: State, progress: dict[str, Any], states: str) -> None:
    task = Task(method="compose-arch", architecture="amd64", state=state, progress=progress)
    (bar,) = bars([task, Task(method="publish", state=State.FREE)])

    assert [step.name for step in bar.steps] == [*PHASES]
    assert len(bar.steps) == 8
    assert " ".join(step.state for step in bar.steps) == states


def test_phases_tell_their_seconds() -> None:
    stages = [{"phase": "rootfs", "seconds": 2.0}, {"phase": "rootfs", "seconds": 1.5}, {"phase": "test", "seconds": 9}]
    task = Task(method="compose-arch", state=State.COMPLETED, result={"stages": stages})
    (bar,) = bars([task, Task(method="publish", state=State.COMPLETED)])

    assert {step.name: step.seconds for step in bar.steps if step.seconds} == {"rootfs": 3.5, "test": 9.0}
    assert bar.steps[-1].state == "done"


def test_a_phase_that_an_earlier_compose_made_is_reused() -> None:
    began = timezone.now()
    stages = [
        {"phase": "gather", "seconds": 0.0, "reused": True},
        {"phase": "rootfs", "seconds": 0.0, "reused": True},
        {"phase": "rootfs", "seconds": 13.0, "reused": False},
    ]
    (bar,) = bars([
        Task(method="compose-arch", state=State.COMPLETED, result={"stages": stages}),
        Task(method="publish", state=State.COMPLETED, started_at=began, finished_at=began + timedelta(seconds=3)),
    ])  # fmt: skip
    seen = {step.name: (step.state, step.seconds) for step in bar.steps}
    assert (seen["gather"], seen["rootfs"], seen["publish"]) == (("reused", None), ("done", 13.0), ("done", 3.0))


def test_each_architecture_has_its_own_bar_and_publish() -> None:
    found = bars([
        Task(method="compose-arch", architecture="amd64", state=State.COMPLETED),
        Task(method="publish", state=State.COMPLETED),
        Task(method="compose-arch", architecture="arm64", state=State.FAILED, progress={"phase": "gather"}),
        Task(method="publish", state=State.CANCELED),
    ])  # fmt: skip

    assert [(bar.architecture, bar.steps[-1].state) for bar in found] == [("amd64", "done"), ("arm64", "waiting")]
