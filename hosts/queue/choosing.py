"""Which of the idle hosts should have a task: the strategy of its channel, on what is known of the hosts now.

Hosts claim, so nobody can be made to take a task; but one that is not the best waits a moment for the one that is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property

from django.conf import settings
from django.utils import timezone

from hosts import registry
from hosts.models import Attempt, Host, Task
from hosts.models.cache import HostCache
from hosts.queue.strategies import STRATEGIES, Idle
from hosts.queue.why import Candidate, busy, candidates, silent, unsuitable, unwilling

LATELY = 1000  # attempts that round robin looks back on
LOOK_BACK = ("round-robin", "weighted-round-robin")
NONE_GIVEN: tuple[Counter[str], dict[str, int]] = (Counter(), {})


class Choice:
    """The hosts at one moment, read when first needed."""

    def __init__(self, hosts: Sequence[Candidate] | None = None) -> None:
        self._hosts = hosts
        self._idle: dict[tuple[int, str, str, float], list[Idle]] = {}
        self._chosen: dict[int, str] = {}
        self.moment = timezone.now()

    def must_wait(self, task: Task, host: Host) -> bool:
        """Whether this host leaves the task to a better one for now."""
        return self.in_grace(task) and self._best(task) not in ("", host.name)

    def preferred(self, task: Task, host: str) -> str:
        """That another host should have the task, as a sentence; empty if not."""
        best = self._best(task) if self.in_grace(task) else ""
        if best in ("", host):
            return ""
        return f"{host} leaves it to {best} for {settings.GRACE.total_seconds():g} s ({task.channel.strategy})."

    def in_grace(self, task: Task) -> bool:
        return self.is_fresh(_ready(task))

    def is_fresh(self, ready: datetime) -> bool:
        """Whether what hosts could first have at this moment is still left to the best of them."""
        return self.moment - ready < settings.GRACE

    def _best(self, task: Task) -> str:
        """The name of the host that should have it; empty if none is idle."""
        if task.pk not in self._chosen:
            idle = self._idle_for(task)
            if task.channel.strategy == "cache-affinity" and len(idle) > 1:
                warm = _warm(task)
                idle = [replace(host, warm=warm[host.name]) for host in idle]
            chosen = STRATEGIES[task.channel.strategy](idle, task.weight, task.pk).name if idle else ""
            self._chosen[task.pk] = chosen
        return self._chosen[task.pk]

    def _idle_for(self, task: Task) -> list[Idle]:
        """The hosts that could take it now; the same for all tasks that want the same of a host."""
        wants = (task.channel_id, task.architecture, task.method, task.weight)
        if wants not in self._idle:
            there = [host for host in self._candidates if host.is_alive and not unsuitable(task, host)]
            able = [host for host in there if not busy(task, host)]
            given, last = self._given if task.channel.strategy in LOOK_BACK else NONE_GIVEN
            self._idle[wants] = [_idle(host, given[host.name], last.get(host.name, 0)) for host in able]
        return self._idle[wants]

    @cached_property
    def _candidates(self) -> Sequence[Candidate]:
        return candidates() if self._hosts is None else self._hosts

    @cached_property
    def _given(self) -> tuple[Counter[str], dict[str, int]]:
        """How many of the last attempts each host got, and the number of its last."""
        lately = list(Attempt.objects.order_by("-pk").values_list("host__name", "pk")[:LATELY])
        return Counter(name for name, _ in lately), dict(reversed(lately))


def _warm(task: Task) -> Counter[str]:
    """How many of the things the task needs lie on each host."""
    method = registry.find(task.method)
    names = method.caches(task.request) if method else ()
    return Counter(HostCache.objects.filter(name__in=names).values_list("host__name", flat=True))


def _idle(host: Candidate, given: int, last_given: int) -> Idle:
    return Idle(
        name=host.name, capacity=host.capacity, used=host.used, number=host.number, load=host.load,
        free_memory=host.free_memory, given=given, last_given=last_given,
    )  # fmt: skip


def _ready(task: Task) -> datetime:
    """When hosts could first have it."""
    ready = task.ready_at or timezone.now()
    return max(ready, task.not_before_at or ready)


def refusals(task: Task) -> list[tuple[str, str]]:
    """What each host says to a task that only waits for a host, empty where it takes it; nothing for any other."""
    if unwilling(task):
        return []
    hosts = candidates()
    choice = Choice(hosts)
    return [
        (seen.name, unsuitable(task, seen) or silent(seen) or busy(task, seen) or choice.preferred(task, seen.name))
        for seen in hosts
    ]
