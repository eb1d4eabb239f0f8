"""Evaluates expressions in a site's own process, as tests/hub/tryout/control.py, through restarts of PostgreSQL."""

from __future__ import annotations

import json
import random
import sys
import time
from datetime import timedelta

import django

django.setup()

from django import db  # noqa: E402
from django.db.models import Count, Exists, F, OuterRef  # noqa: E402
from django.utils import timezone  # noqa: E402

from hosts import hub  # noqa: E402
from hosts.models import Attempt, Channel, Host, Log, Registration, Task  # noqa: E402 - what the expressions use
from hosts.queue.why import why_waiting  # noqa: E402
from tests.chaos import verdict  # noqa: E402, F401

PATIENCE_SECONDS = 60.0
RETRIES = {"infrastructure": {"attempts": 100, "pause": 1}}  # hosts die all the time here


def submit(number: int, seed: str, seconds: float) -> None:
    """So many tasks of up to so many seconds."""
    draw = random.Random(seed)
    channel = Channel.objects.get_or_create(name="default")[0]
    for _ in range(number):
        size = draw.choice([0, 1000, 300_000, 3_000_000])
        request = {"lines": draw.randint(20, 400), "seconds": draw.uniform(seconds / 4, seconds), "bytes": size}
        hub.submit("count", "count", request=request, channel=channel, by=None, retries=RETRIES)


def invite(host: str, capacity: float) -> str:
    """A one-time token for a new host."""
    return Registration.objects.issue(by=None, name=host, capacity=capacity)[1]


def counts() -> dict[str, int]:
    """How many tasks are in which state, all at one moment."""
    found = dict(Task.objects.order_by().values_list("state").annotate(Count("pk")))
    return {state: found.pop(state, 0) for state in ("free", "assigned", "running", "completed")} | found


def problems(host: str) -> list[str]:
    """What the hub holds against a host."""
    return [one["name"] for one in Host.objects.get(name=host).problems]


def lost() -> int:
    return Attempt.objects.exclude(outcome__in=("", "completed")).count()


def why() -> str:
    """Why the first task that waits does, and what is the matter with hosts."""
    waits = Task.objects.filter(state="free").in_queue_order().first()
    hosts = [f"{host} {host.out_of_service or 'is in service'}" for host in Host.objects.all()]
    return "; ".join([why_waiting(waits) if waits else "none waits", *hosts])


def at_work() -> list[int]:
    """The attempts that run and have begun to tell."""
    told = Log.objects.filter(task=OuterRef("task"), attempt=OuterRef("number"))
    running = Attempt.objects.filter(Exists(told), task__state="running", number=F("task__attempt"))
    return list(running.values_list("pk", flat=True))


def lost_of(attempts: list[int]) -> list[str]:
    """Why those of these attempts were lost that were."""
    return list(Attempt.objects.filter(pk__in=attempts, outcome="lost").values_list("reason", flat=True))


def silent(seconds: float) -> int:
    """How many hosts were not heard for so long."""
    return Host.objects.filter(seen_at__lt=timezone.now() - timedelta(seconds=seconds)).count()


def patiently(expression: str) -> object:
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        db.close_old_connections()
        try:
            return eval(expression)
        except (db.OperationalError, db.InterfaceError):
            if time.monotonic() > until:
                raise
            db.connection.close()
            time.sleep(0.2)


for line in sys.stdin:
    print(json.dumps(patiently(line), default=str), flush=True)
