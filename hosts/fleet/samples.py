"""History of hosts and of the queue: a sample a minute, averaged over longer times as it grows older, then removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Min
from django.utils import timezone

from hosts.fleet.health import number
from hosts.models import HELD, Host, HostSample, QueueSample, Task
from hosts.models.sample import DAY, HOUR, MINUTE, TEN_MINUTES

ROWS = 5000  # at most so many are removed in one transaction


@dataclass(frozen=True)
class Tier:
    """Samples of this grain (seconds) older than `kept` become those of the `into` grain, or are removed (0)."""

    grain: int
    kept: timedelta
    into: int = 0


HOST_TIERS = (
    Tier(MINUTE, timedelta(days=1), TEN_MINUTES),
    Tier(TEN_MINUTES, timedelta(days=8), HOUR),
    Tier(HOUR, timedelta(days=92)),
)
QUEUE_TIERS = (*HOST_TIERS[:2], Tier(HOUR, timedelta(days=92), DAY))
HOST_VALUES = ("load", "memory", "disk", "running")
QUEUE_VALUES = ("waiting", "running", "oldest")


def begin_of(moment: datetime, grain: int) -> datetime:
    """When the `grain` seconds began in which this moment lies."""
    return datetime.fromtimestamp(moment.timestamp() // grain * grain, UTC)


def note_host(host: Host, said: Mapping[str, Any], moment: datetime) -> None:
    """Keep what a host says of itself, once a minute however often it says it."""
    at = begin_of(moment, MINUTE)
    if host.sampled_at and host.sampled_at >= at:
        return
    older = Host.objects.filter(pk=host.pk).exclude(sampled_at__gte=at)
    load = said.get("load")
    with transaction.atomic():
        if older.update(sampled_at=at):
            HostSample.objects.create(
                host=host, at=at, memory=_used(said, "memory"), disk=_used(said, "disk"),
                load=number({"load": load[0]}, "load") or 0.0 if isinstance(load, list) and load else 0.0,
                running=number(said, "running") or 0.0,
            )  # fmt: skip


def _used(said: Mapping[str, Any], name: str) -> float:
    total, free = number(said, name, "total"), number(said, name, "free")
    return round(1 - (free or 0.0) / total, 4) if total else 0.0


@transaction.atomic
def note_queue() -> bool:
    """Keep how long the queue is, once a minute whoever asks how often."""
    now = timezone.now()
    at = begin_of(now, MINUTE)
    if QueueSample.objects.filter(grain=MINUTE, at=at).exists():
        return False
    waiting = dict(_by_architecture(Task.objects.waiting()))
    running = dict(_by_architecture(Task.objects.filter(state__in=HELD, is_parent=False)))
    for name in {"", *waiting, *running}:
        count, first = waiting.get(name, (0, now))
        QueueSample.objects.create(
            at=at, architecture=name, waiting=count, running=running.get(name, (0, now))[0],
            oldest=max(0.0, (now - first).total_seconds()),
        )  # fmt: skip
    return True


def _by_architecture(tasks: Any) -> list[tuple[str, tuple[int, datetime]]]:
    rows = tasks.order_by().values_list("architecture").annotate(Count("pk"), Min("created_at"))
    return [(name, (count, first)) for name, count, first in rows]


def thin() -> int:
    """Make old samples coarser and remove the oldest, some at a time; the number of rows that went."""
    gone = sum(_thin_hosts(tier) for tier in HOST_TIERS)
    return gone + sum(_thin_queue(tier) for tier in QUEUE_TIERS)


@transaction.atomic
def _thin_hosts(tier: Tier) -> int:
    return _thin(HostSample, tier, "host_id", HOST_VALUES)


@transaction.atomic
def _thin_queue(tier: Tier) -> int:
    return _thin(QueueSample, tier, "architecture", QUEUE_VALUES)


def _thin(model: Any, tier: Tier, key: str, values: tuple[str, ...]) -> int:
    """One span of the coarser grain, of all hosts or architectures, as one row each."""
    until = begin_of(timezone.now() - tier.kept, tier.into or tier.grain)
    old = model.objects.filter(grain=tier.grain, at__lt=until)
    if (first := old.aggregate(first=Min("at"))["first"]) is None:
        return 0
    if not tier.into:
        span = old.order_by("at")[:ROWS]
        return int(model.objects.filter(pk__in=list(span.values_list("pk", flat=True))).delete()[0])
    at = begin_of(first, tier.into)
    span = old.filter(at__lt=at + timedelta(seconds=tier.into)).select_for_update()
    rows = list(span)
    groups: dict[Any, list[Any]] = {}
    for row in rows:
        groups.setdefault(getattr(row, key), []).append(row)
    times = len({row.at for row in rows}) if model is QueueSample else 0  # an architecture without a row had no tasks
    model.objects.bulk_create(
        model(at=at, grain=tier.into, **{key: of}, **_means(those, values, times or len(those)))
        for of, those in groups.items()
    )
    return int(model.objects.filter(pk__in=[row.pk for row in rows]).delete()[0])


def _means(rows: list[Any], values: tuple[str, ...], number: int) -> dict[str, float]:
    return {name: sum(getattr(row, name) for row in rows) / number for name in values}
