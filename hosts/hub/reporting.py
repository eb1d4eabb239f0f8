"""A host tells how it is, and learns what the hub believes it holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from hosts.builder.connection import Held
from hosts.fleet import health, samples
from hosts.hub.reaping import forgive
from hosts.models import Host, Task


def report(host: Host, said: dict[str, Any]) -> list[Held]:
    """Write a host's report down, judge it, and answer with what it holds."""
    moment = timezone.now()
    forgive(host, moment)
    Host.objects.filter(pk=host.pk).update(seen_at=moment, report=said | health.clock(said, moment))
    health.judge(host, said, moment)
    samples.note_host(host, said, moment)
    held = Task.objects.held().filter(host=host).order_by("pk")
    columns = held.values_list("pk", "attempt", "claim", "state", "claimed_at", "started_at")
    return [
        Held(task=pk, attempt=attempt, claim=str(claim), state=state, seconds=_since(started_at or claimed_at))
        for pk, attempt, claim, state, claimed_at, started_at in columns
        if claim
    ]


def _since(moment: datetime | None) -> float:
    return (timezone.now() - moment).total_seconds() if moment else 0.0
