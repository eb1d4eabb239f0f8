"""Which of several idle hosts should have a task: plain functions, chosen by name for each channel."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Idle:
    """A host that could take the task now, and what strategies look at."""

    name: str
    capacity: float
    used: float = 0.0  # the weight of what it holds
    number: int = 0  # of tasks it holds
    load: float = 0.0  # of the last minute, for each processor
    free_memory: int = 0  # bytes
    given: int = 0  # tasks it got lately
    last_given: int = 0  # grows with time; 0: none lately
    warm: int = 0  # how much of what the task needs it has already: its chroot, its dependency layer


Strategy = Callable[[Sequence[Idle], float, int], Idle]


def _filled(host: Idle, weight: float) -> float:
    """How full the host would be with the task, of 1."""
    return round((host.used + weight) / host.capacity, 6)


def least_loaded(hosts: Sequence[Idle], weight: float, seed: int) -> Idle:
    """The one that is emptiest with the task; then the one whose processors do least."""
    return min(hosts, key=lambda host: (_filled(host, weight), host.load, host.name))


def round_robin(hosts: Sequence[Idle], weight: float, seed: int) -> Idle:
    """The one that has not got any for longest."""
    return min(hosts, key=lambda host: (host.last_given, host.name))


def weighted_round_robin(hosts: Sequence[Idle], weight: float, seed: int) -> Idle:
    """As round robin, in proportion to the capacities."""
    return min(hosts, key=lambda host: (round(host.given / host.capacity, 6), host.last_given, host.name))


def least_tasks(hosts: Sequence[Idle], weight: float, seed: int) -> Idle:
    """The one with the fewest tasks, whatever they weigh."""
    return min(hosts, key=lambda host: (host.number, _filled(host, weight), host.name))


def most_free_memory(hosts: Sequence[Idle], weight: float, seed: int) -> Idle:
    return min(hosts, key=lambda host: (-host.free_memory, host.name))


def cache_affinity(hosts: Sequence[Idle], weight: float, seed: int) -> Idle:
    """The one that has most of what the task needs; then the least loaded."""
    most = max(host.warm for host in hosts)
    return least_loaded([host for host in hosts if host.warm == most], weight, seed)


def random_of_two(hosts: Sequence[Idle], weight: float, seed: int) -> Idle:
    """The less loaded of two that chance names: the same two whoever asks, by `seed`."""
    two = sorted(hosts, key=lambda host: _chance(host.name, seed))[:2]
    return min(two, key=lambda host: (_filled(host, weight), host.load))


def _chance(name: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {name}".encode()).digest()


DEFAULT = "least-loaded"
STRATEGIES: dict[str, Strategy] = {
    DEFAULT: least_loaded,
    "round-robin": round_robin,
    "weighted-round-robin": weighted_round_robin,
    "least-tasks": least_tasks,
    "most-free-memory": most_free_memory,
    "cache-affinity": cache_affinity,
    "random-of-two": random_of_two,
}
