"""What shows that a compose's image boots: per firmware the seconds it took, the console and its picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hosts.models import Artifact, Task


@dataclass(frozen=True)
class Proof:
    architecture: str
    firmware: str
    seconds: float  # from power-on to multi-user.target
    accelerator: str
    milestones: tuple[tuple[str, float], ...]
    status: tuple[str, ...]  # what `ostree admin status` said on the console
    tests: tuple[dict[str, Any], ...]  # {"name", "ok", "sentence", "seconds", "output"}
    serial: Artifact | None
    screenshot: Artifact | None


def proofs(tasks: Iterable[Task], artifacts: Iterable[Artifact]) -> list[Proof]:
    """The boot proofs of a compose, from its tasks' results and what they kept."""
    kept = {(artifact.task_id, artifact.name): artifact for artifact in artifacts}
    return [
        _proof(task, firmware, facts, kept)
        for task in tasks
        for firmware, facts in sorted((task.result.get("boot") or {}).items())
    ]


def _proof(task: Task, firmware: str, facts: dict[str, Any], kept: dict[tuple[int | None, str], Artifact]) -> Proof:
    return Proof(
        architecture=task.architecture, firmware=firmware, seconds=facts["seconds"],
        accelerator=facts.get("accelerator", ""), milestones=_in_order(facts.get("milestones", {})),
        status=tuple(facts.get("status", ())), tests=tuple(facts.get("tests", ())),
        serial=kept.get((task.pk, f"serial-{firmware}.log")),
        screenshot=kept.get((task.pk, f"console-{firmware}.png")),
    )  # fmt: skip


@dataclass(frozen=True)
class Boot:
    """One boot of the upgrade gate: after which step, what ran, how long it took, and what its console showed."""

    name: str
    commit: str
    state: str
    seconds: float
    milestones: tuple[tuple[str, float], ...]
    said: tuple[str, ...]  # by the step's commands
    status: tuple[str, ...]
    screenshot: Artifact | None


@dataclass(frozen=True)
class Upgrade:
    """A machine of the compose before, upgraded to this one, rolled back and rebased."""

    architecture: str
    identity: str
    version: str
    firmware: str
    accelerator: str
    seconds: float
    bytes: int  # downloaded
    files: int
    boots: tuple[Boot, ...]
    serial: Artifact | None


def upgrades(tasks: Iterable[Task], artifacts: Iterable[Artifact]) -> list[Upgrade]:
    """What the upgrade gates of a compose saw, where they came to their end."""
    kept = {(artifact.task_id, artifact.name): artifact for artifact in artifacts}
    return [_upgrade(task, task.result["upgrade"], kept) for task in tasks if task.result.get("upgrade")]


def _upgrade(task: Task, facts: dict[str, Any], kept: dict[tuple[int | None, str], Artifact]) -> Upgrade:
    boots = [
        Boot(name=step["name"], commit=step["commit"], state=step["state"], seconds=step["seconds"],
             milestones=_in_order(step["milestones"]), said=tuple(step["said"]), status=tuple(step["status"]),
             screenshot=kept.get((task.pk, f"console-upgrade-{number}.png")))
        for number, step in enumerate(facts["steps"], 1)
    ]  # fmt: skip
    return Upgrade(
        architecture=task.architecture, identity=facts["from"]["identity"], version=facts["from"]["version"],
        firmware=facts["firmware"], accelerator=facts["accelerator"], seconds=facts["seconds"], bytes=facts["bytes"],
        files=facts["files"], boots=tuple(boots), serial=kept.get((task.pk, "serial-upgrade.log")),
    )  # fmt: skip


def _in_order(milestones: dict[str, float]) -> tuple[tuple[str, float], ...]:
    return tuple(sorted(milestones.items(), key=lambda pair: pair[1]))
