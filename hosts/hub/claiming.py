"""Claim: the waiting task whose turn it is (hosts.queue.order) of those the host should have (hosts.queue.choosing)."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db.models import Count, Q, Sum
from django.utils import timezone

from hosts import registry
from hosts.builder.connection import ClaimLost
from hosts.hub.moves import move, whole
from hosts.models import Attempt, Host, State, Task
from hosts.models.task import TaskQuerySet
from hosts.queue.choosing import Choice
from hosts.queue.order import in_order
from hosts.queue.windows import Closed

ANYWHERE = ("", "all")  # architectures that every host has
LOOK = 20  # tasks of a line that one claim tries


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
    Raises ClaimLost for a token whose attempt is over: it is good for no other.
    `slots` is how many tasks the host can run at once, whatever they weigh.
    """
    any_left = eligible(host).order_by("priority", "share", "pk").values_list("pk")[:1]  # along the index of the queue
    if not any_left and (token is None or not Task.objects.filter(claim=token).exists()):
        return None  # an idle poll takes no write lock
    return _claim(host.pk, token or uuid.uuid4(), slots)


@whole
def _claim(host_id: int, token: uuid.UUID, slots: int | None) -> Task | None:
    host = Host.objects.select_for_update(no_key=True).get(pk=host_id)  # one claim at a time per host: capacity holds
    if mine := Task.objects.filter(claim=token, host=host).first():
        return mine
    if Attempt.objects.filter(claim=token).exists():
        raise ClaimLost  # asked again too late: that attempt is over
    held = Task.objects.held().filter(host=host).aggregate(weight=Sum("weight", default=0.0), number=Count("pk"))
    if not host.in_service or (slots is not None and held["number"] >= slots):
        return None
    closed = Closed()
    if host.pk in closed.hosts:
        return None
    fitting = eligible(host).exclude(channel__in=list(closed.channels))
    if held["number"]:  # what weighs more than the whole host runs there alone
        fitting = fitting.filter(weight__lte=host.capacity - held["weight"] + 1e-9)
    task = _next(fitting, host)
    if task is None:
        return None
    moment = timezone.now()
    move(task, State.ASSIGNED, host=host, claim=token, claimed_at=moment, lease_ends_at=moment + settings.LEASE,
         attempt=task.attempt + 1, progress={}, reason="")  # fmt: skip
    about = registry.about(task.method, task.request)
    Attempt.objects.create(task=task, number=task.attempt, claim=token, host=host, package=about.package,
                           target=about.target)  # fmt: skip
    return task


def _next(fitting: TaskQuerySet, host: Host) -> Task | None:
    """The task whose turn it is, locked; None if there is none, or others have them all."""
    choice = Choice()
    for line in in_order(fitting.lines(), choice.moment):
        of_the_line = fitting.filter(priority=line.priority, share=line.share).select_related("channel")
        for task in of_the_line.order_by("pk")[:LOOK]:
            if choice.must_wait(task, host):
                continue
            if mine := _taken(fitting, task):
                return mine
    return None


def _taken(fitting: TaskQuerySet, task: Task) -> Task | None:
    """The row, locked; None if another host is about to take it."""
    return fitting.filter(pk=task.pk).select_for_update(skip_locked=True, of=("self",), no_key=True).first()
