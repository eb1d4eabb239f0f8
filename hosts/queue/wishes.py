"""What a submitter may choose for the tasks of what they submit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from debatomic.access.checks import may
from debatomic.tools.errors import InputError
from hosts.models import Channel, State, Task
from hosts.models.task import DEFAULT_PRIORITY
from hosts.queue import limits, retries


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """None or empty: as usual. `after`: tasks that must be completed before."""

    priority: int | None = None
    weight: float | None = None  # of each task that runs
    limits: Mapping[str, float] = field(default_factory=dict)
    retries: Mapping[str, Any] = field(default_factory=dict)
    channel: Channel | None = None
    after: tuple[Task, ...] = ()
    within: Task | None = None  # the larger task that it is a part of
    profiles: tuple[str, ...] = ()  # build profiles, of builds

    def check(self, by: Any) -> None:
        """Raises InputError with the field that is wrong."""
        limits.checked(self.limits)
        retries.checked(self.retries)
        if self.priority is not None and self.priority < DEFAULT_PRIORITY and not may(by, "tasks.prioritize"):
            sentence = f"Your role does not allow more urgent than {DEFAULT_PRIORITY}; higher numbers run later."
            raise InputError(sentence, field="priority")
        if self.weight is not None and not 0 < self.weight < math.inf:
            raise InputError(f"A weight is above 0, not {self.weight:g}.", field="weight")
        if self.weight is not None and not may(by, "tasks.prioritize"):
            raise InputError("Your role does not allow to choose a weight.", field="weight")
        for task in self.after:
            if task.state in (State.FAILED, State.CANCELED):
                reason = f"Nothing can wait for {task}: it is {task.get_state_display()}."
                raise InputError(reason, field="after")


AS_USUAL = Wishes()
