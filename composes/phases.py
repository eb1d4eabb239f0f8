"""How far a compose is: one bar of phases and deliverables per architecture, from what its tasks last reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from composes.gates import DELIVERABLE, MADE
from composes.models import PHASES, Compose
from composes.pipeline.parts import TREE
from hosts.models import State, Task

TAKEN = ("init", "gather", "rootfs", "ostree")  # phases whose results deliverables begin with


@dataclass(frozen=True)
class Step:
    """One phase: `state` is done, reused, running, failed, canceled or waiting; `fraction` is done while it runs.

    A deliverable is one, too, with the `task` that makes it.
    """

    name: str
    state: str
    seconds: float | None = None
    fraction: float | None = None
    task: Task | None = None


@dataclass(frozen=True)
class Bar:
    architecture: str
    task: Task
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Part:
    """What is made by a task of its own: the tree, or a deliverable."""

    name: str
    architecture: str
    failable: bool
    state: str
    reason: str
    task: int


def parts_of(compose: Compose) -> list[Part]:
    """The parts of a compose as its tasks have them, the oldest first."""
    rows = compose.task.children.filter(method__in=MADE).order_by("pk")
    return [Part(task.request.get("part", TREE), task.architecture, task.failable, task.state, task.reason, task.pk)
            for task in rows]  # fmt: skip


def bars(tasks: Iterable[Task]) -> list[Bar]:
    """The bars of a compose, from its child tasks in the order of their submit."""
    tasks = list(tasks)
    made = [task for task in tasks if task.method == "compose-arch"]
    publishes = [task for task in tasks if task.method == "publish"]
    return [_bar(task, [one for one in tasks if one.method == DELIVERABLE and one.architecture == task.architecture],
                 publishes[number : number + 1]) for number, task in enumerate(made)]  # fmt: skip


def _bar(tree: Task, deliverables: Sequence[Task], publish: Sequence[Task]) -> Bar:
    """Before the deliverables are known, the phases in which they will be made stand for them."""
    names = PHASES[: PHASES.index("container")] if deliverables else PHASES[:-1]
    steps = [*_composed(tree, names), *map(_delivered, deliverables), *map(_published, publish)]
    return Bar(tree.architecture, tree, tuple(steps))


def _delivered(task: Task) -> Step:
    name, seconds = task.request.get("part", ""), _seconds(task)
    if task.state != State.COMPLETED:
        fraction = task.progress.get("fraction") if task.state == State.RUNNING else None
        return Step(name, _now(task), None, fraction, task)
    mine = [stage for stage in task.result.get("stages") or () if stage["phase"] not in TAKEN]
    return Step(name, "reused" if mine and reused_phases(mine) == {stage["phase"] for stage in mine} else "done",
                seconds, None, task)  # fmt: skip


def _composed(task: Task, names: Sequence[str]) -> Iterator[Step]:
    """The phases of the tree: those before the reported one are done, those behind it wait."""
    stages = task.result.get("stages") or ()
    seconds, reused = seconds_by_phase(stages), reused_phases(stages)
    at = _reached(task)
    for number, name in enumerate(names):
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
    return Step("publish", "done", _seconds(task))


def _seconds(task: Task) -> float | None:
    span = task.finished_at - task.started_at if task.finished_at and task.started_at else None
    return span.total_seconds() if span else None


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
