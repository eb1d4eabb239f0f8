"""Claim: the first waiting task that this host may have, taken by one conditional update."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from hosts import registry
from hosts.hub.moves import move, whole
from hosts.models import Attempt, Host, State, Task

ANYWHERE = ("", "all")  # architectures that every host has


def eligible(host: Host) -> QuerySet[Task]:
    """What waits and may run on this host at all, first come first, whatever the host's load."""
    waiting = Task.objects.waiting().unblocked().filter(
        Q(not_before_at=None) | Q(not_before_at__lte=timezone.now()),
        architecture__in=[*ANYWHERE, *host.architectures], channel__hosts=host,
    )  # fmt: skip
    if not host.is_hub:
        waiting = waiting.exclude(method__in=registry.hub_only())
    return waiting.in_queue_order()


def claim(host: Host, *, token: uuid.UUID | None = None, slots: int | None = None) -> Task | None:
    """Assign the next task to this host; None when there is nothing for it.

    `token` becomes the task's claim: asked again with the same token, a host whose answer was lost gets the same task.
    `slots` is how many tasks the host can run at once, whatever they weigh.
    """
    if not eligible(host).exists() and (token is None or not Task.objects.filter(claim=token).exists()):
        return None  # an idle poll takes no write lock
    return _claim(host.pk, token or uuid.uuid4(), slots)


@whole
def _claim(host_id: int, token: uuid.UUID, slots: int | None) -> Task | None:
    host = Host.objects.select_for_update(no_key=True).get(pk=host_id)  # one claim at a time per host: capacity holds
    if mine := Task.objects.filter(claim=token, host=host).first():
        return mine
    held = Task.objects.held().filter(host=host).aggregate(weight=Sum("weight", default=0.0), number=Count("pk"))
    if not host.in_service or (slots is not None and held["number"] >= slots):
        return None
    fitting = eligible(host)
    if held["number"]:  # what weighs more than the whole host runs there alone
        fitting = fitting.filter(weight__lte=host.capacity - held["weight"] + 1e-9)
    task = fitting.select_for_update(skip_locked=True, of=("self",), no_key=True).first()
    if task is None:
        return None
    moment = timezone.now()
    move(task, State.ASSIGNED, host=host, claim=token, claimed_at=moment, lease_ends_at=moment + settings.LEASE,
         attempt=task.attempt + 1, progress={}, reason="")  # fmt: skip
    about = registry.about(task.method, task.request)
    Attempt.objects.create(task=task, number=task.attempt, host=host, package=about.package, target=about.target)
    return task
