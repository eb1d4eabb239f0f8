"""The history of a host and of the queue, as charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Sum
from django.utils import timezone

from debatomic.charts import Chart, Line, line_chart, percent, plain, thinned
from hosts.models import Host, HostSample, QueueSample
from hosts.models.sample import DAY, HOUR, MINUTE, TEN_MINUTES


@dataclass(frozen=True, kw_only=True)
class Span:
    """How far back a chart goes, and the grain (seconds) of its samples."""

    name: str
    title: str
    length: timedelta
    grain: int

    @property
    def step(self) -> timedelta:
        """The time between two points of a chart."""
        return max(timedelta(seconds=self.grain), self.length / 240)


SPANS = (
    Span(name="hours", title="3 hours", length=timedelta(hours=3), grain=MINUTE),
    Span(name="day", title="1 day", length=timedelta(days=1), grain=MINUTE),
    Span(name="week", title="7 days", length=timedelta(days=7), grain=TEN_MINUTES),
    Span(name="quarter", title="90 days", length=timedelta(days=90), grain=HOUR),
)


def span_of(name: str) -> Span:
    """The span of this name; the shortest one for an unknown name."""
    return next((span for span in SPANS if span.name == name), SPANS[0])


def host_samples(host: Host, span: Span) -> list[tuple[Any, ...]]:
    """(at, load, memory, disk, running), oldest first."""
    since = timezone.now() - span.length
    rows = HostSample.objects.filter(host=host, grain__in=(MINUTE, TEN_MINUTES, HOUR), at__gte=since).order_by("at")
    return list(rows.values_list("at", "load", "memory", "disk", "running"))


def of_host(host: Host, span: Span) -> list[Chart]:
    """Load, tasks, memory and disk over the span."""
    rows = host_samples(host, span)

    def line(name: str, column: int) -> Line:
        return Line(name=name, points=thinned([(row[0], row[column]) for row in rows], span.step))

    processors = host.report.get("processors")
    load = f"Load on {processors} processors" if processors else "Load"
    return [
        _chart(load, [line("Load", 1)], span),
        _chart("Running tasks", [line("Tasks", 4)], span),
        _chart("Memory and disk in use", [line("Memory", 2), line("Disk", 3)], span, share=True),
    ]


def of_queue(span: Span) -> Chart:
    """How many tasks waited and ran, of all architectures together."""
    since = timezone.now() - span.length
    rows = list(
        QueueSample.objects.filter(grain__in=(MINUTE, TEN_MINUTES, HOUR, DAY), at__gte=since)
        .values_list("at").annotate(Sum("waiting"), Sum("running")).order_by("at")
    )  # fmt: skip
    waiting = Line(name="Waiting", points=thinned([(at, waited) for at, waited, _ in rows], span.step))
    running = Line(name="Running", points=thinned([(at, ran) for at, _, ran in rows], span.step))
    return _chart("Tasks that wait and run", [waiting, running], span)


def _chart(title: str, lines: Sequence[Line], span: Span, *, share: bool = False) -> Chart:
    end = timezone.now()
    told, most = (percent, 1.0) if share else (plain, 0.0)
    return line_chart(title, lines, begin=end - span.length, end=end, step=span.step, told=told, most=most)
