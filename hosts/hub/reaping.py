"""The reaper: what no host renews any more is free again. Any number of reapers may run at once.

While no host at all is heard, the hub itself is away (its network, web or database): then nothing is reaped but what
was to be canceled, and once the first host is back, the others have a whole lease to be back, too.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max, Q
from django.utils import timezone

from hosts.hub.attempts import lose
from hosts.hub.moves import locked, whole
from hosts.models import Host, Task, WebPresence

DEAF = timedelta(seconds=20)  # without a word from any host: each says one every two seconds
RETURN = timedelta(seconds=40)  # in which every host notices that the hub is back: it asks every ten


def reap() -> int:
    """End every attempt whose lease ran out; the number of those."""
    moment = timezone.now()
    expired = Task.objects.held().filter(is_parent=False, lease_ends_at__lt=moment)
    claims = list(expired.order_by("pk").values_list("pk", "claim"))
    if claims and (unheard := _silenced(moment) | _cut_off(moment)):
        spared = expired.filter(cancel_asked_at=None).filter(unheard).values_list("pk", flat=True)
        claims = [(task_id, claim) for task_id, claim in claims if task_id not in set(spared)]
    return sum(_reap(task_id, claim) for task_id, claim in claims if claim)


def forgive(host: Host, moment: datetime) -> None:
    """Before a host is heard again: if the hub was away, give what ran meanwhile the time to be heard."""
    if host.seen_at and host.seen_at < moment - DEAF and (silenced := _silenced(moment)):
        _renew(silenced, moment + _lasting())


@whole
def _renew(silenced: Q, until: datetime) -> None:
    Task.objects.held().filter(silenced, lease_ends_at__lt=until).update(lease_ends_at=until)


def _silenced(moment: datetime) -> Q:
    """The tasks of the hosts that fell silent with the last of all; empty while any host is heard."""
    last = Host.objects.aggregate(last=Max("seen_at"))["last"]
    if last is None or last >= moment - DEAF:
        return Q()
    together = Host.objects.filter(seen_at__gte=last - DEAF)
    return Q(host__in=list(together.values_list("pk", flat=True)))


def _cut_off(moment: datetime) -> Q:
    """The tasks of hosts elsewhere while the web is away, or has not been back for long; else empty."""
    return Q() if WebPresence.objects.has_lasted(_lasting(), moment) else Q(host__is_hub=False)


def _lasting() -> timedelta:
    """In which a host that is there is heard, and has its lease renewed."""
    lease: timedelta = settings.LEASE
    return max(lease, RETURN)


@whole
def _reap(task_id: int, claim: uuid.UUID) -> bool:
    task = locked(task_id)
    if task.claim != claim or task.lease_ends_at is None or task.lease_ends_at >= timezone.now():
        return False  # it ended or was renewed meanwhile
    silent = timezone.now() - task.lease_ends_at
    lose(task, f"Host {task.host} was not heard of any more ({silent.seconds} s beyond the lease).")
    return True
