"""The states of a task and the ways between them, as a table."""

from __future__ import annotations

from django.db import models


class State(models.TextChoices):
    FREE = "free", "waiting"
    ASSIGNED = "assigned", "assigned"
    RUNNING = "running", "running"
    COMPLETED = "completed", "completed"
    FAILED = "failed", "failed"
    CANCELED = "canceled", "canceled"


LIVE = (State.FREE, State.ASSIGNED, State.RUNNING)
HELD = (State.ASSIGNED, State.RUNNING)  # a host has it
FINAL = (State.COMPLETED, State.FAILED, State.CANCELED)

MOVES: dict[State, tuple[State, ...]] = {
    # a parent runs, completes and fails with its children, without a host
    State.FREE: (State.ASSIGNED, State.RUNNING, State.FAILED, State.CANCELED),
    State.ASSIGNED: (State.RUNNING, State.FREE, State.FAILED, State.CANCELED),
    State.RUNNING: (State.COMPLETED, State.FAILED, State.CANCELED, State.FREE),
    State.COMPLETED: (),
    State.FAILED: (State.FREE, State.RUNNING),  # retry: a new attempt; a parent runs again
    State.CANCELED: (State.FREE, State.RUNNING),
}
