"""Claim: the waiting task whose turn it is (hosts.queue.order) of those the host should have (hosts.queue.choosing)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from hosts import registry
from hosts.hub.moves import move, whole
from hosts.models import Attempt, Host, State, Task
from hosts.models.task import TaskQuerySet
from hosts.queue.choosing import Choice
from hosts.queue.heads import heads
from hosts.queue.order import Line, in_order
from hosts.queue.windows import Closed

ANYWHERE = ("", "all")  # architectures that every host has
LOOK = 20  # tasks of a line that one claim tries
ALMOST = 1e-9  # weights are sums of fractions


@dataclass(frozen=True)
class Held:
    """What a host holds: (task, claim, weight) of each."""

    rows: tuple[tuple[int, uuid.UUID | None, float], ...]

    @classmethod
    def by(cls, host: Host) -> Held:
        return cls(tuple(Task.objects.held().filter(host=host).order_by("pk").values_list("pk", "claim", "weight")))

    def under(self, token: uuid.UUID | None) -> Task | None:
        """The task that has this claim already."""
        mine = next((task for task, claim, _ in self.rows if token and claim == token), None)
        return Task.objects.filter(pk=mine, claim=token).first() if mine else None

    def room(self, host: Host, slots: int | None) -> float:
        """The most that another task may weigh; 0 where none may come."""
        if slots is not None and len(self.rows) >= slots:
            return 0.0
        if not self.rows:
            return float("inf")  # what weighs more than the whole host runs there alone
        return max(0.0, host.capacity - sum(weight for *_, weight in self.rows) + ALMOST)


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
    """Assign the next task to this host; None when there is nothing for it.

    `token` becomes the task's claim: asked again with the same token, a host whose answer was lost gets the same task.
    `slots` is how many tasks the host can run at once, whatever they weigh.
    """
    held = Held.by(host)
    if mine := held.under(token):
        return mine
    lines = _lines(host, held.room(host, slots))
    return _claim(host.pk, token or uuid.uuid4(), slots, held, lines) if lines else None  # an idle poll locks nothing


def _lines(host: Host, room: float) -> list[Line]:
    return heads(_fitting(eligible(host), room)) if room >= ALMOST else []


def _fitting(tasks: TaskQuerySet, room: float) -> TaskQuerySet:
    return tasks if room == float("inf") else tasks.filter(weight__lte=room)


@whole
def _claim(host_id: int, token: uuid.UUID, slots: int | None, seen: Held, lines: Sequence[Line]) -> Task | None:
    host = Host.objects.select_for_update(no_key=True).get(pk=host_id)  # one claim at a time per host: capacity holds
    held = Held.by(host)
    if mine := held.under(token):
        return mine
    if Attempt.objects.filter(claim=token).exists():
        return None  # asked again too late: that attempt is over
    room = held.room(host, slots)
    if held != seen:
        lines = _lines(host, room)
    closed = Closed()
    if not host.in_service or host.pk in closed.hosts:
        return None
    fitting = _fitting(eligible(host), room).exclude(channel__in=list(closed.channels))
    task = _next(fitting, host, lines)
    if task is None:
        return None
    moment = timezone.now()
    move(task, State.ASSIGNED, host=host, claim=token, claimed_at=moment, lease_ends_at=moment + settings.LEASE,
         attempt=task.attempt + 1, progress={}, reason="")  # fmt: skip
    about = registry.about(task.method, task.request)
    Attempt.objects.create(task=task, number=task.attempt, claim=token, host=host, package=about.package,
                           target=about.target)  # fmt: skip
    return task


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
    return fitting.filter(pk=number).select_for_update(skip_locked=True, of=("self",), no_key=True).first()
