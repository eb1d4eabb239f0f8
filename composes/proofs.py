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
    milestones = sorted(facts.get("milestones", {}).items(), key=lambda pair: pair[1])
    return Proof(
        architecture=task.architecture, firmware=firmware, seconds=facts["seconds"],
        accelerator=facts.get("accelerator", ""), milestones=tuple(milestones), status=tuple(facts.get("status", ())),
        serial=kept.get((task.pk, f"serial-{firmware}.log")),
        screenshot=kept.get((task.pk, f"console-{firmware}.png")),
    )  # fmt: skip
