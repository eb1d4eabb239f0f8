"""Why a task waits, in one sentence. `refusal` says of each host what hosts.hub.claim decides in one query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db.models import Count, Sum
from django.utils import timezone
from django.utils.timesince import timesince

from hosts import registry
from hosts.models import Host, State, Task
from hosts.queue.estimate import History, about
from hosts.queue.order import Line, place
from hosts.queue.windows import Closed

ANYWHERE = ("", "all")
SOON = timedelta(seconds=1)
NOT_ASKED = ("labels", "warning", "token_hash", "state_at", "trusted_at", "sampled_at", "created_at")
SWITCHED_OFF = "is switched off"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A host as the claim sees it: `used` is the weight of the `number` of tasks it holds.

    `out` ends the sentence that says why it takes no tasks at all; empty if it does. `closed`: why nothing starts on it
    now; `closed_channels`: why nothing of these channels starts anywhere.
    """

    name: str
    out: str
    is_alive: bool
    is_hub: bool
    seen_at: datetime | None
    architectures: tuple[str, ...]
    channels: frozenset[int]
    capacity: float
    used: float
    number: int
    slots: int
    load: float = 0.0  # of the last minute, for each processor
    free_memory: int = 0  # bytes
    pk: int = 0
    closed: str = ""
    closed_channels: Mapping[int, str] = field(default_factory=dict)


def candidate(host: Host, used: float, number: int, channels: Iterable[int], closed: Closed) -> Candidate:
    return Candidate(
        closed=closed.hosts.get(host.pk, ""), closed_channels=closed.channels,
        name=host.name, out=host.out_of_service, is_alive=host.is_alive, is_hub=host.is_hub, seen_at=host.seen_at,
        architectures=tuple(host.architectures), channels=frozenset(channels), capacity=host.capacity,
        used=used, number=number, slots=int(host.report.get("slots") or host.capacity), pk=host.pk or 0,
        load=_load(host.report), free_memory=int((host.report.get("memory") or {}).get("free") or 0),
    )  # fmt: skip


def _load(report: Mapping[str, Any]) -> float:
    """The load of the last minute for each processor, as the host's last beat said it."""
    return float((report.get("load") or [0.0])[0]) / (report.get("processors") or 1)


def candidates() -> list[Candidate]:
    """All hosts with what they hold: four queries, however many there are."""
    held = Task.objects.held().exclude(host=None).values_list("host").annotate(Sum("weight"), Count("pk"))
    loads = {host: (weight, number) for host, weight, number in held}
    channels: dict[int, list[int]] = {}
    for host, channel in Host.channels.through.objects.values_list("host", "channel"):
        channels.setdefault(host, []).append(channel)
    closed = Closed()
    hosts = Host.objects.defer(*NOT_ASKED)
    return [candidate(host, *loads.get(host.pk, (0.0, 0)), channels.get(host.pk, ()), closed) for host in hosts]


def unsuitable(task: Task, host: Candidate) -> str:
    """Why this host cannot run this task however idle it is; empty if it can."""
    if task.only_on_id not in (None, host.pk):
        return f"The task is not for {host.name}."
    if host.out:
        return f"{host.name} {host.out}"
    if task.channel_id not in host.channels:
        return f"{host.name} does not serve channel {task.channel}."
    if task.architecture not in (*ANYWHERE, *host.architectures):
        return f"{host.name} does not run {task.architecture}."
    method = registry.find(task.method)
    if method and method.needs_hub and not host.is_hub:
        return f"{host.name} does not share the hub's folder."
    return ""


def busy(task: Task, host: Candidate) -> str:
    """Why this host takes nothing like this now; empty if it does."""
    if closed := host.closed or host.closed_channels.get(task.channel_id, ""):
        return closed
    if host.number and (host.used + task.weight > host.capacity + 1e-9 or host.number >= host.slots):
        return f"{host.name} is busy with {host.used:g} of {host.capacity:g}."
    return ""


def silent(host: Candidate) -> str:
    """That this host is not there, if it is not."""
    if host.is_alive:
        return ""
    if host.seen_at is None:
        return f"{host.name} never reported."
    return f"{host.name} was last heard of {timesince(host.seen_at)} ago."


def refusal(task: Task, host: Host) -> str:
    """Why this host does not take this task now; empty if it may."""
    held = Task.objects.held().filter(host=host).aggregate(used=Sum("weight", default=0.0), number=Count("pk"))
    seen = candidate(host, held["used"], held["number"], [one.pk for one in host.channels.all()], Closed())
    return unwilling(task) or unsuitable(task, seen) or silent(seen) or busy(task, seen)


def unwilling(task: Task) -> str:
    """Why no host may have this task yet, whichever it is; empty if one may."""
    if task.state != State.FREE:
        return f"Task {task.pk} is {task.get_state_display()}."
    if task.is_parent:
        return "It runs with its tasks."
    if task.ready_at is None and (needed := list(_needed(task))):
        return waits_for(needed)
    if task.not_before_at and task.not_before_at > timezone.now():
        return f"Tries again in {_seconds(task.not_before_at - timezone.now())}: {task.reason}".rstrip(": ")
    return ""


def _needed(task: Task) -> Iterable[tuple[int, str]]:
    """Number and title of each task it depends on that is not completed."""
    return task.dependencies.exclude(state=State.COMPLETED).order_by("pk").values_list("pk", "title")


def waits_for(needed: Sequence[tuple[int, str]]) -> str:
    (number, title), others = needed[0], len(needed) - 1
    more = f" and {others} more" if others else ""
    return f"Waits for task {number} ({title}){more}."


def _seconds(span: timedelta) -> str:
    return f"{max(span, SOON).total_seconds():.0f} s"


def why_waiting(task: Task) -> str:
    """Why this task is not running, in one sentence; empty for one that is, or has ended."""
    return why_all([task])[task.pk]


def why_all(tasks: Sequence[Task]) -> dict[int, str]:
    """The sentence of each task, in a bounded number of queries for the hosts and few for each task."""
    queue = Queue()
    return {task.pk: _why(task, queue) for task in tasks}


class Queue:
    """What waits and who could run it, each part read once, when the first task asks for it."""

    def __init__(self) -> None:
        self.history = History()
        self._lines: dict[tuple[int, str], list[Line]] = {}
        self._suitable: dict[tuple[int | None, int, str, str], list[Candidate]] = {}

    @cached_property
    def hosts(self) -> list[Candidate]:
        return candidates()

    def suitable(self, task: Task) -> list[Candidate]:
        """The hosts that could run it."""
        kind = (task.only_on_id, task.channel_id, task.architecture, task.method)
        if kind not in self._suitable:
            self._suitable[kind] = [host for host in self.hosts if not unsuitable(task, host)]
        return self._suitable[kind]

    def place(self, task: Task) -> int:
        """The place of the task among what waits for the same kind of host."""
        alike = Task.objects.waiting().unblocked().filter(channel=task.channel_id, architecture=task.architecture)
        key = (task.channel_id, task.architecture)
        if key not in self._lines:
            self._lines[key] = alike.lines()
        mine = [line for line in self._lines[key] if (line.priority, line.share) == (task.priority, task.share)]
        if not mine:  # it was taken meanwhile
            return 1
        ahead = alike.filter(priority=task.priority, share=task.share, pk__lt=task.pk)
        number = 0 if mine[0].first == task.pk else ahead.count()
        return place(self._lines[key], mine[0], number, timezone.now())

    def starts(self, task: Task, at: int, hosts: Sequence[Candidate]) -> str:
        """When it starts, as a sentence; empty where history does not tell."""
        seconds = self.history.starts_in(task, at, {host.name: _slots(task, host) for host in hosts})
        return "" if seconds is None else f" It should start {about(seconds)}."


def _slots(task: Task, host: Candidate) -> int:
    """How many tasks like this one a host runs at once."""
    return max(1, min(host.slots, int(host.capacity / task.weight + 1e-9)))


def _why(task: Task, queue: Queue) -> str:
    if task.state != State.FREE:
        return ""
    if task.is_parent:
        first = task.children.filter(state=State.FREE).order_by("priority", "pk").first()
        return _why(first, queue) if first else ""
    if reason := unwilling(task):
        return reason
    suitable = queue.suitable(task)
    if not suitable:
        return _nobody(task, queue.hosts)
    alive = [host for host in suitable if host.is_alive]
    if not alive:
        return "No host is there: " + " ".join(silent(host) for host in suitable[:3])
    return _in_queue(task, alive, queue)


def _nobody(task: Task, hosts: Sequence[Candidate]) -> str:
    """Which wish no host fulfils."""
    if not hosts:
        return "There is no host yet."
    if all(host.out.startswith(SWITCHED_OFF) for host in hosts):
        return "All hosts are switched off."
    if suitable := [host for host in hosts if not unsuitable(task, replace(host, out=""))]:
        return _all_out(suitable)
    if task.architecture and not any(task.architecture in (*ANYWHERE, *host.architectures) for host in hosts):
        return f"No host for {task.architecture}."
    return f"No host for {task.architecture or task.method} in channel {task.channel}."


def _all_out(hosts: Sequence[Candidate]) -> str:
    """Why none of these takes it, though each could run it."""
    if len(hosts) == 1:
        return f"{hosts[0].name}, which could run it, {hosts[0].out}"
    if all(host.out.startswith(SWITCHED_OFF) for host in hosts):
        return f"{_listed(hosts)}, which could run it, are switched off."
    more = f" {len(hosts) - 3} more are out, too." if len(hosts) > 3 else ""
    return "All hosts that could run it are out: " + " ".join(f"{host.name} {host.out}" for host in hosts[:3]) + more


def _listed(hosts: Sequence[Candidate]) -> str:
    """The names of some hosts as words of a sentence."""
    *before, last = [host.name for host in hosts[:3]] + ([f"{len(hosts) - 3} more"] if len(hosts) > 3 else [])
    return f"{', '.join(before)} and {last}" if before else last


def _in_queue(task: Task, hosts: Sequence[Candidate], queue: Queue) -> str:
    refusals = [busy(task, host) for host in hosts]
    at = queue.place(task)
    if channel := hosts[0].closed_channels.get(task.channel_id, ""):
        return channel
    said = " ".join(refusals[:3]) + (f" So are {len(refusals) - 3} more." if len(refusals) > 3 else "")
    if not all(refusals):
        said = "a host takes it in a moment."
        if at == 1:
            return f"Place 1 in the queue: {said}"
    return f"Place {at} in the queue: {said}{queue.starts(task, at, hosts)}"
