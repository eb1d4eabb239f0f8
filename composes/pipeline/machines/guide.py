"""Watches a machine on its journey from outside: what step it is at, and whether the right thing is booted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from composes.pipeline.machines.journey import DONE, Leg, Step, booting, boots, legs, refusal
from composes.pipeline.machines.machine import FATAL, MILESTONES, MachineSpec, Monitor, console_text, last_lines
from debatomic.tools.errors import TimedOut, ToolError


@dataclass(kw_only=True)
class Guide:
    """Raises ToolError from `look` as soon as the journey can only fail."""

    spec: MachineSpec
    monitor: Monitor
    steps: Sequence[Step]
    timeout: float  # seconds, for each step
    reached: Callable[[str, float, float], object]  # what, how far (0 to 1), seconds since the start
    started: float = field(default_factory=time.monotonic)
    began: list[float] = field(default_factory=lambda: [0.0])  # seconds at which each step began
    seen: list[dict[str, float]] = field(default_factory=lambda: [{}])  # milestones of each step, seconds in it
    legs: list[Leg] = field(default_factory=list)
    text: str = ""

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def at(self) -> Step:
        """The step that is under way; the last one when all are done."""
        return self.steps[min(len(self.legs), len(self.steps) - 1)]

    def look(self) -> None:
        """Called again and again while the machine runs."""
        self.text = console_text(self.spec.serial)
        for leg in legs(self.text, self.steps)[len(self.legs) :]:
            self._arrived(leg)
        if len(self.legs) == len(self.steps):
            return
        self._on_the_way(boots(self.text)[-1])
        if self.seconds - self.began[-1] > self.timeout:
            self.picture(len(self.legs))
            last = next(reversed(self.seen[-1]), "nothing")
            raise TimedOut(f"The step {self.at.name} did not end in {self.timeout:g} s; last seen: {last}.",
                           lines=last_lines(self.text))  # fmt: skip

    def _on_the_way(self, part: str) -> None:
        if said := refusal(self.text):
            self.picture(len(self.legs))
            raise ToolError(f"The step {self.at.name} failed in the machine: {said[-1]}", lines=said[-20:])
        if self.legs and DONE not in part:
            return
        boot = booting(part) if self.legs else part
        for name, pattern, fraction in MILESTONES:
            if name not in self.seen[-1] and pattern.search(boot):
                self._milestone(name, fraction)
        if found := FATAL.search(boot):
            self.picture(len(self.legs))
            raise ToolError(f"The machine does not boot after the step {self.at.name}: {found[0].strip()}.",
                            lines=last_lines(self.text))  # fmt: skip

    def _milestone(self, name: str, fraction: float) -> None:
        self.seen[-1][name] = round(self.seconds - self.began[-1], 1)
        self.reached(f"{self.at.name}: {name}", (len(self.legs) + fraction) / len(self.steps), self.seconds)

    def _arrived(self, leg: Leg) -> None:
        step = self.at
        self._milestone("proved", 1.0)
        self.picture(len(self.legs))
        judge(leg, step)
        self.legs.append(leg)
        self.began.append(self.seconds)
        self.seen.append({})

    def picture(self, number: int) -> None:
        """Keep what the console shows; a missing picture is no reason to fail."""
        try:
            self.monitor.ask("screendump", filename=str(picture_of(self.spec.folder, number)), format="png")
        except (OSError, ValueError) as error:
            self.reached(f"no picture: {error}", number / len(self.steps), self.seconds)


def picture_of(folder: Path, number: int) -> Path:
    return folder / f"console-{number + 1}.png"


def judge(leg: Leg, step: Step) -> None:
    """Raises ToolError unless the right commit runs, and runs well."""
    proof = leg.proof
    if proof.commit != step.commit:
        raise ToolError(f"After the step {step.name} the machine booted {proof.commit or 'no commit'} "
                        f"instead of {step.commit}.", lines=(*leg.said[-10:], *proof.status))  # fmt: skip
    if proof.failed:
        raise ToolError(f"After the step {step.name} {len(proof.failed)} units failed: {proof.failed[0]}.",
                        lines=proof.failed)  # fmt: skip
    if proof.state != "running":
        raise ToolError(f"After the step {step.name} the system is {proof.state or 'in no state'}, not running.",
                        lines=proof.status)  # fmt: skip
