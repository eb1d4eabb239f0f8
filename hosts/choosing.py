"""Which of the idle hosts should have a task: the strategy of its channel, on what is known of the hosts now.

Hosts claim, so nobody can be made to take a task; but one that is not the best waits a moment for the one that is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

from django.conf import settings
from django.utils import timezone

from hosts import registry
from hosts.models import Attempt, Host, Task
from hosts.models.cache import HostCache
from hosts.strategies import STRATEGIES, Idle
from hosts.why import Candidate, busy, candidates, silent, unsuitable, unwilling

LATELY = 1000  # attempts that round robin looks back on
LOOK_BACK = ("round-robin", "weighted-round-robin")
NONE_GIVEN: tuple[Counter[str], dict[str, int]] = (Counter(), {})


class Choice:
    """The hosts at one moment, read when first needed."""

    def __init__(self, hosts: Sequence[Candidate] | None = None) -> None:
        self._hosts = hosts
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
        return self.moment - _ready(task) < settings.GRACE

    def _best(self, task: Task) -> str:
        """The name of the host that should have it; empty if none is idle."""
        there = [host for host in self._candidates if host.is_alive and not unsuitable(task, host)]
        able = [host for host in there if not busy(task, host)]
        if len(able) < 2:
            return able[0].name if able else ""
        strategy = task.channel.strategy
        given, last = self._given if strategy in LOOK_BACK else NONE_GIVEN
        warm = self._warm(task) if strategy == "cache-affinity" else Counter()
        idle = [_idle(host, given[host.name], last.get(host.name, 0), warm[host.name]) for host in able]
        return STRATEGIES[strategy](idle, task.weight, task.pk).name

    @cached_property
    def _candidates(self) -> Sequence[Candidate]:
        return candidates() if self._hosts is None else self._hosts

    @cached_property
    def _given(self) -> tuple[Counter[str], dict[str, int]]:
        """How many of the last attempts each host got, and the number of its last."""
        lately = list(Attempt.objects.order_by("-pk").values_list("host__name", "pk")[:LATELY])
        return Counter(name for name, _ in lately), dict(reversed(lately))

    def _warm(self, task: Task) -> Counter[str]:
        """How many of the things the task needs lie on each host."""
        method = registry.find(task.method)
        names = method.caches(task.request) if method else ()
        return Counter(HostCache.objects.filter(name__in=names).values_list("host__name", flat=True))


def _idle(host: Candidate, given: int, last_given: int, warm: int) -> Idle:
    return Idle(
        name=host.name, capacity=host.capacity, used=host.used, number=host.number, load=host.load,
        free_memory=host.free_memory, given=given, last_given=last_given, warm=warm,
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
