"""What must be true once all tasks have ended, whatever was done to the machines: by the rows and the files."""

from __future__ import annotations

import hashlib
from collections import Counter

from hosts.kept import store
from hosts.live import logs
from hosts.models import FINAL, Artifact, Attempt, Event, Log, Task
from tests.chaos.counting import content, line

MOST = 20  # sentences about what is broken


def broken() -> list[str]:
    """What is not as it must be, as sentences; empty if nothing was lost, doubled or mixed up."""
    tasks = Task.objects.filter(method="count").select_related("host").order_by("pk")
    return [found for task in tasks for rule in RULES if (found := rule(task))][:MOST]


def ended_well(task: Task) -> str:
    if task.state == "completed" and task.claim is None:
        return ""
    return f"Task {task.pk} is {task.state}, claim {task.claim}: {task.reason}"


def ended_once(task: Task) -> str:
    ends = list(Event.objects.filter(kind="task", key=str(task.pk), what__in=FINAL).values_list("what", flat=True))
    return "" if ends == ["completed"] else f"Task {task.pk} ended {len(ends)} times: {ends}"


def every_attempt_ended_once(task: Task) -> str:
    """Numbered from 1, only the last one completed, all ended."""
    attempts = list(Attempt.objects.filter(task=task).order_by("number"))
    outcomes = Counter(one.outcome for one in attempts)
    numbers = [one.number for one in attempts]
    good = attempts and attempts[-1].outcome == "completed" and outcomes["completed"] == 1
    if good and numbers == list(range(1, task.attempt + 1)) and all(one.finished_at for one in attempts):
        return ""
    return f"Task {task.pk}, attempt {task.attempt}, has the attempts {list(zip(numbers, outcomes, strict=False))}"


def result_is_of_the_last_attempt(task: Task) -> str:
    last = Attempt.objects.filter(task=task, number=task.attempt).select_related("host").first()
    if last is None:
        return f"Task {task.pk} has no attempt {task.attempt}"
    wanted = {"attempt": task.attempt, "claim": str(last.claim), "host": last.host.name}
    got = {name: task.result.get(name) for name in wanted}
    same_host = task.host is not None and task.host.name == last.host.name
    return "" if got == wanted and same_host else f"Task {task.pk} has the result of {got}, not of {wanted}"


def artifact_is_of_the_last_attempt(task: Task) -> str:
    """As its SHA-256 says, and of the very bytes that the attempt of the result made."""
    made = Artifact.objects.filter(task=task, name="made").first()
    if made is None:
        return f"Task {task.pk} has no artifact"
    with store.open(made.sha256) as file:
        stored = file.read()
    if not hashlib.sha256(stored).hexdigest() == made.sha256 == task.result.get("sha256"):
        return f"Task {task.pk}: the artifact's SHA-256 is not that of its content and its result"
    right = stored == content(str(task.result["claim"]), int(task.request["bytes"]))
    return "" if right and made.size == len(stored) else f"Task {task.pk}: the artifact is of another attempt"


def no_line_is_lost(task: Task) -> str:
    """All lines of the last attempt, in order; of those before, a beginning."""
    for log in Log.objects.filter(task=task, name="log").order_by("attempt"):
        claim = Attempt.objects.get(task=task, number=log.attempt).claim
        number = int(task.request["lines"])
        wanted = "".join(line(n, number, log.attempt, str(claim)) + "\n" for n in range(1, number + 1)).encode()
        read = logs.read(task.pk, log.attempt, "log", 0, len(wanted) + 1)
        if not wanted.startswith(read) or (log.attempt == task.attempt and read != wanted):
            which = f"Task {task.pk}: the log of attempt {log.attempt} of {task.attempt}"
            return f"{which} has {len(read)} bytes, not {len(wanted)} in their order"
    return "" if Log.objects.filter(task=task, attempt=task.attempt).exists() else f"Task {task.pk} has no log"


RULES = (ended_well, ended_once, every_attempt_ended_once, result_is_of_the_last_attempt,
         artifact_is_of_the_last_attempt, no_line_is_lost)  # fmt: skip
