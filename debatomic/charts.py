"""Charts as SVG that the server makes, each with the same in words and as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from math import floor, log10
from statistics import fmean

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

WIDTH, HEIGHT = 1000, 200  # units of the drawing; the page stretches it
TABLE_ROWS = 24


def plain(value: float) -> str:
    """A number for people: 0, 0.4, 12, 1,234."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}" if value < 1 else f"{value:.1f}"


def percent(value: float) -> str:
    return f"{value * 100:.0f} %"


def round_up(value: float) -> float:
    """The next 1, 2, 2.5 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next((step * power for step in (1, 2, 2.5, 5) if value <= step * power * 1.0000001), 10 * power)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One series of a chart: a value at each moment, oldest first."""

    name: str
    points: Sequence[tuple[datetime, float]]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A line as the page draws it."""

    name: str
    number: int
    parts: list[str]  # `points` of polylines: a gap parts them
    says: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart as its template shows it; `rows` is the same as a table."""

    title: str
    top: str
    drawn: list[Drawn]
    ends: tuple[str, str]
    heads: list[str]
    rows: list[tuple[str, list[str]]]

    @property
    def is_empty(self) -> bool:
        return not any(line.parts for line in self.drawn)

    @property
    def says(self) -> str:
        return " ".join(line.says for line in self.drawn)


def line_chart(
    title: str,
    lines: Sequence[Line],
    *,
    begin: datetime,
    end: datetime,
    step: timedelta,
    most: float = 0.0,
    told: Callable[[float], str] = plain,
) -> Chart:
    """Lines over time. `step` is the time between two samples, `most` the least top of the scale."""
    top = most or round_up(max((value for line in lines for _, value in line.points), default=1.0))
    drawn = [
        Drawn(name=line.name, number=number, says=_says(line, told), parts=_parts(line.points, begin, end, step, top))
        for number, line in enumerate(lines, 1)
    ]
    heads = [line.name for line in lines]
    return Chart(
        title=title, top=told(top), drawn=drawn, ends=(_time(begin, end), _time(end, begin)), heads=heads,
        rows=_table(lines, begin, end, told),
    )  # fmt: skip


def _parts(
    points: Sequence[tuple[datetime, float]], begin: datetime, end: datetime, step: timedelta, top: float
) -> list[str]:
    parts: list[list[str]] = []
    before: datetime | None = None
    for at, value in points:
        if before is None or at - before > step * 2.5:
            parts.append([])
        x = (at - begin) / (end - begin) * WIDTH
        parts[-1].append(f"{x:.1f},{HEIGHT - min(value / top, 1) * HEIGHT:.1f}")
        before = at
    return [" ".join(part if len(part) > 1 else [part[0], _aside(part[0])]) for part in parts]


def _aside(point: str) -> str:
    """A little beside it, so that a single point is seen."""
    x, _, y = point.partition(",")
    return f"{float(x) + 3:.1f},{y}"


def _says(line: Line, told: Callable[[float], str]) -> str:
    values = [value for _, value in line.points]
    if not values:
        return f"{line.name}: nothing known."
    spread = f"from {told(min(values))} to {told(max(values))}, {told(fmean(values))} on average"
    return f"{line.name}: {told(values[-1])} at the end, {spread}."


def _time(moment: datetime, other: datetime) -> str:
    local = timezone.localtime(moment)
    return f"{local:%Y-%m-%d}" if abs(moment - other) > timedelta(days=2) else f"{local:%d %b %H:%M}"


def _table(
    lines: Sequence[Line], begin: datetime, end: datetime, told: Callable[[float], str]
) -> list[tuple[str, list[str]]]:
    """At most 24 spans of time with the mean of each line, newest first."""
    span = (end - begin) / TABLE_ROWS
    cells: list[list[list[float]]] = [[[] for _ in lines] for _ in range(TABLE_ROWS)]
    for number, line in enumerate(lines):
        for at, value in line.points:
            cells[min(max(int((at - begin) / span), 0), TABLE_ROWS - 1)][number].append(value)
    rows = [
        (_time(begin + span * number, end), [told(fmean(values)) if values else "" for values in row])
        for number, row in enumerate(cells)
        if any(row)
    ]
    return rows[::-1]


def thinned(points: Sequence[tuple[datetime, float]], step: timedelta) -> list[tuple[datetime, float]]:
    """One point for each step of time: the mean of those in it."""
    groups = groupby(points, key=lambda point: point[0].timestamp() // step.total_seconds())
    spans = [list(group) for _, group in groups]
    return [(span[0][0], fmean(value for _, value in span)) for span in spans]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a stacked bar, in units of the drawing."""

    number: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Bar:
    label: str
    says: str
    parts: list[Part]

    @property
    def svg(self) -> SafeString:
        """The bar as it is drawn: a year has a thousand parts, too many for a template to go through."""
        return format_html("<g><title>{}</title>{}</g>", self.says, SafeString("".join(
            f'<rect class="chart-part-{part.number}" x="{part.x}" y="{part.y}" width="{part.width}" '
            f'height="{part.height}"/>' for part in self.parts
        )))  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class BarChart:
    """Stacked bars side by side, as their template shows them."""

    title: str
    top: str
    names: list[str]
    bars: list[Bar]
    says: str


def bar_chart(title: str, names: Sequence[str], values: Sequence[tuple[str, Sequence[float]]]) -> BarChart:
    """One bar for each label, with a part for each name."""
    top = round_up(max((sum(parts) for _, parts in values), default=1.0))
    width = WIDTH / max(len(values), 1)
    bars = [_bar(label, names, parts, number * width, width, top) for number, (label, parts) in enumerate(values)]
    totals = [sum(column) for column in zip(*(parts for _, parts in values), strict=True)] if values else []
    counted = [f"{plain(total)} {name}" for name, total in zip(names, totals, strict=bool(totals))]
    says = f"{title}: {', '.join(counted) or 'nothing'} in all."
    return BarChart(title=title, top=plain(top), names=list(names), bars=bars, says=says)


def _bar(label: str, names: Sequence[str], values: Sequence[float], x: float, width: float, top: float) -> Bar:
    parts, y = [], float(HEIGHT)
    for number, value in enumerate(values, 1):
        height = value / top * HEIGHT
        y -= height
        if height:
            parts.append(Part(number=number, x=round(x + width * 0.1, 2), y=round(y, 2), width=round(width * 0.8, 2),
                              height=round(height, 2)))  # fmt: skip
    told = ", ".join(f"{plain(value)} {name}" for name, value in zip(names, values, strict=True))
    return Bar(label=label, says=f"{label}: {told}", parts=parts)
