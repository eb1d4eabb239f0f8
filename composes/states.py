"""The states of composes, in Pungi's words, by those of their tasks."""

from __future__ import annotations

from django.db.models import Q

from hosts.states import LIVE, State

FINISHED = ("FINISHED", "FINISHED_INCOMPLETE")  # the latter lacks something failable
ENDED_BADLY = ("DOOMED", "TERMINATED", "FINISHED_INCOMPLETE")
WHERE: dict[str, Q] = {
    "STARTED": Q(task__state__in=LIVE),
    "FINISHED": Q(task__state=State.COMPLETED, incomplete=False),
    "FINISHED_INCOMPLETE": Q(task__state=State.COMPLETED, incomplete=True),
    "DOOMED": Q(task__state=State.FAILED),
    "TERMINATED": Q(task__state=State.CANCELED),
}  # as rows of composes are asked for


def word(state: str, *, incomplete: bool) -> str:
    """The compose's state where its task has this one."""
    words = {State.COMPLETED: FINISHED[incomplete], State.FAILED: "DOOMED", State.CANCELED: "TERMINATED"}
    return words.get(State(state), "STARTED")


def among(names: list[str]) -> Q:
    """Composes in any of these states; none named: in any."""
    found = Q()
    for name in names:
        found |= WHERE[name]
    return found
