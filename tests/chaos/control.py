"""Evaluates expressions in a site's own process, as tests/hub/tryout/control.py, through restarts of PostgreSQL."""

from __future__ import annotations

import json
import random
import sys
import time

import django

django.setup()

from django import db  # noqa: E402
from django.db.models import Count  # noqa: E402

from hosts import hub  # noqa: E402
from hosts.models import Attempt, Channel, Host, Registration, Task  # noqa: E402 - what the expressions use
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
