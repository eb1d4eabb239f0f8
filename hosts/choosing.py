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
        idle = [host for host in self._candidates if host.is_alive and not unsuitable(task, host)]
        able = [self._idle(host, task) for host in idle if not busy(task, host)]
        return STRATEGIES[task.channel.strategy](able, task.weight, task.pk).name if able else ""

    @cached_property
    def _candidates(self) -> Sequence[Candidate]:
        return candidates() if self._hosts is None else self._hosts

    def _idle(self, host: Candidate, task: Task) -> Idle:
        given, last = self._given
        return Idle(
            name=host.name, capacity=host.capacity, used=host.used, number=host.number, load=host.load,
            free_memory=host.free_memory, given=given[host.name], last_given=last.get(host.name, 0),
            warm=self._warm(task)[host.name],
        )  # fmt: skip

    @cached_property
    def _given(self) -> tuple[Counter[str], dict[str, int]]:
        """How many of the last attempts each host got, and the number of its last."""
        lately = list(Attempt.objects.order_by("-pk").values_list("host__name", "pk")[:LATELY])
        return Counter(name for name, _ in lately), dict(reversed(lately))

    def _warm(self, task: Task) -> Counter[str]:
        """How many of the things the task needs lie on each host."""
        method = registry.find(task.method)
        names = method.caches(task.request) if method and task.channel.strategy == "cache-affinity" else ()
        found = HostCache.objects.filter(name__in=names).values_list("host__name", flat=True) if names else ()
        return Counter(found)


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
