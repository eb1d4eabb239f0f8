"""How far a compose is: one bar of phases per architecture, from what its tasks last reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from composes.models import PHASES
from hosts.models import State, Task


@dataclass(frozen=True)
class Step:
    """One phase: `state` is done, reused, running, failed, canceled or waiting; `fraction` is done while it runs."""

    name: str
    state: str
    seconds: float | None = None
    fraction: float | None = None


@dataclass(frozen=True)
class Bar:
    architecture: str
    task: Task
    steps: tuple[Step, ...]


def bars(tasks: Iterable[Task]) -> list[Bar]:
    """The bars of a compose, from its child tasks in the order of their submit: each is followed by its publish."""
    found: list[Bar] = []
    for task in tasks:
        if task.method == "compose-arch":
            found.append(Bar(task.architecture, task, (*_composed(task), Step("publish", "waiting"))))
        elif task.method == "publish" and found:
            last = found[-1]
            found[-1] = Bar(last.architecture, last.task, (*last.steps[:-1], _published(task)))
    return found


def _composed(task: Task) -> Iterator[Step]:
    """The phases up to publish: those before the reported one are done, those behind it wait."""
    stages = task.result.get("stages") or ()
    seconds, reused = seconds_by_phase(stages), reused_phases(stages)
    at = _reached(task)
    for number, name in enumerate(PHASES[:-1]):
        if task.state == State.COMPLETED or number < at:
            yield Step(name, "reused") if name in reused else Step(name, "done", seconds.get(name))
        elif number > at or not task.progress:
            yield Step(name, "waiting")
        else:
            yield Step(name, _now(task), None, task.progress.get("fraction"))


def _reached(task: Task) -> int:
    phase = str((task.progress or {}).get("phase", "")).split(" ")[0].rstrip(":")
    return PHASES.index(phase) if phase in PHASES else 0


def _published(task: Task) -> Step:
    if task.state != State.COMPLETED:
        return Step("publish", _now(task) if task.started_at else "waiting")
    span = task.finished_at - task.started_at if task.finished_at and task.started_at else None
    return Step("publish", "done", span.total_seconds() if span else None)


def _now(task: Task) -> str:
    return {State.RUNNING: "running", State.FAILED: "failed", State.CANCELED: "canceled"}.get(
        State(task.state), "waiting"
    )


def seconds_by_phase(stages: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Seconds of each phase, from the pipeline's stages: `{"name", "phase", "seconds"}`."""
    found: dict[str, float] = {}
    for stage in stages:
        found[stage["phase"]] = found.get(stage["phase"], 0.0) + float(stage["seconds"])
    return found


def reused_phases(stages: Iterable[Mapping[str, Any]]) -> set[str]:
    """The phases of which every stage had the result of an earlier compose with the same input."""
    stages = list(stages)
    return {stage["phase"] for stage in stages} - {stage["phase"] for stage in stages if not stage.get("reused")}
