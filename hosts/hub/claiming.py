"""Claim: the waiting tasks whose turn it is (hosts.queue.order) of those the host should have (hosts.queue.choosing).

A host gets one task, or several at once where they have waited so long that no other host can be the better one.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from hosts import registry
from hosts.builder.connection import ClaimLost
from hosts.hub.moves import move_all, whole
from hosts.models import Attempt, Host, State, Task
from hosts.models.task import TaskQuerySet
from hosts.queue.choosing import Choice
from hosts.queue.heads import heads
from hosts.queue.order import Line, in_order
from hosts.queue.turns import BETWEEN, Waiting, Window, turns
from hosts.queue.windows import Closed

ANYWHERE = ("", "all")  # architectures that every host has
LOOK = 20  # tasks of a line that one claim tries
AT_ONCE = 8  # tasks that one claim takes, at most
ALMOST = 1e-9  # weights are sums of fractions


@dataclass(frozen=True)
class Held:
    """What a host holds: (task, claim, weight) of each."""

    rows: tuple[tuple[int, uuid.UUID | None, float], ...]

    @classmethod
    def by(cls, host: Host) -> Held:
        return cls(tuple(Task.objects.held().filter(host=host).order_by("pk").values_list("pk", "claim", "weight")))

    def under(self, claims: Sequence[uuid.UUID]) -> list[Task]:
        """The tasks that have one of these claims already."""
        mine = [task for task, claim, _ in self.rows if claim in claims]
        return list(Task.objects.filter(pk__in=mine, claim__in=claims).order_by("claimed_at", "pk")) if mine else []

    def room(self, host: Host, slots: int | None, more: Sequence[float] = ()) -> float:
        """The most that another task may weigh, besides `more` of these weights; 0 where none may come."""
        weights = [*(weight for *_, weight in self.rows), *more]
        if slots is not None and len(weights) >= slots:
            return 0.0
        if not weights:
            return float("inf")  # what weighs more than the whole host runs there alone
        room = host.capacity - sum(weights) + ALMOST
        return room if room >= ALMOST else 0.0


def eligible(host: Host) -> TaskQuerySet:
    """What waits and may run on this host at all, whatever the host's load."""
    served = Host.channels.through.objects.filter(host=host).values("channel")
    waiting = Task.objects.waiting().unblocked().filter(
        Q(not_before_at=None) | Q(not_before_at__lte=timezone.now()), Q(only_on=None) | Q(only_on=host),
        architecture__in=[*ANYWHERE, *host.architectures], channel__in=served,
    )  # fmt: skip
    if not host.is_hub:
        waiting = waiting.exclude(method__in=registry.hub_only())
    return waiting


def claim(host: Host, *, token: uuid.UUID | None = None, slots: int | None = None) -> Task | None:
    """Assign the next task to this host, as `claim_some` does; None when there is nothing for it."""
    return next(iter(claim_some(host, token=token, slots=slots, most=1)), None)


def claim_some(
    host: Host, *, token: uuid.UUID | None = None, slots: int | None = None, most: int = AT_ONCE
) -> list[Task]:  # fmt: skip
    """Assign the next tasks to this host, at most so many; none when there is nothing for it.

    `token` becomes the first task's claim, and those of the others are made of it: asked again with the same token, a
    host whose answer was lost gets the same tasks. Raises ClaimLost for a token whose attempts are over: it is good for
    no others. `slots` is how many tasks the host can run at once, whatever they weigh.
    """
    held = Held.by(host)
    claims = claims_of(token or uuid.uuid4(), most)
    if mine := held.under(claims):
        return mine
    lines = _lines(host, held.room(host, slots))
    return _claim(host.pk, claims, slots, held, lines) if lines else []  # an idle poll locks nothing


def claims_of(token: uuid.UUID, most: int) -> list[uuid.UUID]:
    """The claims that a host gets by asking with this token: known to both sides, and to nobody else."""
    return [token, *(uuid.uuid5(token, str(number)) for number in range(1, most))]


def _lines(host: Host, room: float) -> list[Line]:
    return heads(_fitting(eligible(host), room)) if room else []


def _fitting(tasks: TaskQuerySet, room: float) -> TaskQuerySet:
    return tasks if room == float("inf") else tasks.filter(weight__lte=room)


@whole
def _claim(
    host_id: int, claims: Sequence[uuid.UUID], slots: int | None, seen: Held, lines: Sequence[Line]
) -> list[Task]:  # fmt: skip
    host = Host.objects.select_for_update(no_key=True).get(pk=host_id)  # one claim at a time per host: capacity holds
    held = Held.by(host)
    if mine := held.under(claims):
        return mine
    if Attempt.objects.filter(claim=claims[0]).exists():
        raise ClaimLost  # asked again too late: those attempts are over
    room = held.room(host, slots)
    if held != seen:
        lines = _lines(host, room)
    closed = Closed()
    if not host.in_service or host.pk in closed.hosts:
        return []
    fitting = _fitting(eligible(host), room).exclude(channel__in=list(closed.channels))
    tasks = _several(fitting, host, lines, partial(held.room, host, slots), len(claims))
    tasks = tasks or [task for task in [_next(fitting, host, lines)] if task]
    _assign(host, list(zip(tasks, claims, strict=False)))
    return tasks


def _assign(host: Host, given: Sequence[tuple[Task, uuid.UUID]]) -> None:
    """Write down who has these locked tasks, each under its claim."""
    moment = timezone.now()
    common: dict[str, Any] = {"host": host, "lease_ends_at": moment + settings.LEASE, "progress": {}, "reason": ""}
    changes = [
        (task, {**common, "claim": claim, "attempt": task.attempt + 1, "claimed_at": moment + number * BETWEEN})
        for number, (task, claim) in enumerate(given)
    ]
    move_all(changes, State.ASSIGNED)
    Attempt.objects.bulk_create(_attempt(task, host) for task, _ in given)


def _attempt(task: Task, host: Host) -> Attempt:
    about = registry.about(task.method, task.request)
    return Attempt(task=task, number=task.attempt, claim=task.claim, host=host, package=about.package,
                   target=about.target)  # fmt: skip


def _several(
    fitting: TaskQuerySet, host: Host, lines: Sequence[Line], room: Callable[[Sequence[float]], float], most: int
) -> list[Task]:  # fmt: skip
    """The tasks of several turns, locked; none where that is more than needed, or less than can be told."""
    if most == 1 or not room([0.0]):
        return []

    def read(line: Line) -> Window:
        rows = fitting.filter(priority=line.priority, share=line.share).order_by("pk")[:LOOK]
        found = list(rows.values_list("pk", "weight", "ready_at", "not_before_at"))
        tasks = tuple(Waiting(pk, weight, ready, later) for pk, weight, ready, later in found if ready)
        return Window(tasks=tasks, whole=len(found) < LOOK)

    moment = timezone.now()
    ids = turns(lines, read, room, moment=moment, settled_at=moment - settings.GRACE, most=most)
    if len(ids) < 2:
        return []
    rows = {task.pk: task for task in _locked(fitting.filter(pk__in=ids).order_by("pk"))}
    return [rows[number] for number in ids if number in rows]


def _next(fitting: TaskQuerySet, host: Host, lines: Sequence[Line]) -> Task | None:
    """The task whose turn it is, locked; None if there is none, or others have them all."""
    choice = Choice()
    for line in in_order(lines, choice.moment):
        for number in _candidates(fitting, line, host, choice):
            if mine := _taken(fitting, number):
                return mine
    return None


def _candidates(fitting: TaskQuerySet, line: Line, host: Host, choice: Choice) -> Iterator[int]:
    """The ids of the tasks of a line that this host need not leave to another, oldest first."""
    if not choice.is_fresh(line.since):
        yield line.first  # as a rule it is taken, and no other is looked at
    of_the_line = fitting.filter(priority=line.priority, share=line.share).select_related("channel")
    for task in of_the_line.order_by("pk")[:LOOK]:
        if not choice.must_wait(task, host):
            yield task.pk


def _taken(fitting: TaskQuerySet, number: int) -> Task | None:
    """The row, locked; None if another host is about to take it."""
    return _locked(fitting.filter(pk=number)).first()


def _locked(tasks: TaskQuerySet) -> TaskQuerySet:
    """These rows, locked, but for those that others have."""
    return tasks.select_for_update(skip_locked=True, of=("self",), no_key=True)
