"""Statistics of attempts by day, package, target, architecture, host and method, from a table by day and by month.

Every attempt that ended is counted once, by whichever process ticks first. A page reads the days that it shows, or of
each name the whole months and the days before the first of them, however many tasks there ever were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Max, Q, Sum
from django.utils import timezone

from hosts.models import Attempt, PeriodCount, Task

BATCH = 2000  # attempts in one transaction
Dimension, Grain = PeriodCount.Dimension, PeriodCount.Grain
SUMS = ("completed", "failed", "lost", "canceled", "waited", "ran")
LONGEST = ("longest_wait", "longest_run")
Key = tuple[str, str, date, str]  # dimension, grain, day, name
OLD, NEW = f"{PeriodCount._meta.db_table}.", "excluded."
COLUMNS = ("dimension", "grain", "day", "name", *SUMS, *LONGEST)
ADDED = [f"{one} = {OLD}{one} + {NEW}{one}" for one in SUMS]
LONGER = [f"{one} = CASE WHEN {OLD}{one} > {NEW}{one} THEN {OLD}{one} ELSE {NEW}{one} END" for one in LONGEST]
ADD = f"""INSERT INTO {PeriodCount._meta.db_table} ({", ".join(COLUMNS)}) VALUES ({", ".join(["%s"] * len(COLUMNS))})
    ON CONFLICT (dimension, grain, day, name) DO UPDATE SET {", ".join([*ADDED, *LONGER])}"""  # noqa: S608


@dataclass
class Tally:
    """What is added to one row."""

    completed: int = 0
    failed: int = 0
    lost: int = 0
    canceled: int = 0
    waited: float = 0.0
    ran: float = 0.0
    longest_wait: float = 0.0
    longest_run: float = 0.0

    def add(self, outcome: str, waited: float, ran: float) -> None:
        setattr(self, outcome, getattr(self, outcome) + 1)
        self.waited, self.longest_wait = self.waited + waited, max(self.longest_wait, waited)
        self.ran, self.longest_run = self.ran + ran, max(self.longest_run, ran)


@transaction.atomic
def count() -> int:
    """Count what ended since; the number of attempts, at most some hundreds at a time."""
    ended = Attempt.objects.filter(counted=False, finished_at__isnull=False).order_by("finished_at")
    if connection.features.has_select_for_update_skip_locked:
        ended = ended.select_for_update(skip_locked=True, of=("self",), no_key=True)
    columns = ("pk", "task_id", "number", "started_at", "finished_at", "outcome", "package", "target", "host__name",
               "task__architecture", "task__method", "task__created_at")  # fmt: skip
    rows = list(ended.values(*columns)[:BATCH])
    if not rows:
        return 0
    tallies: dict[Key, Tally] = {}
    ready = _ready(rows)
    for row in rows:
        for key in _keys(row):
            waited = max(0.0, (row["started_at"] - ready[row["pk"]]).total_seconds())
            ran = max(0.0, (row["finished_at"] - row["started_at"]).total_seconds())
            tallies.setdefault(key, Tally()).add(row["outcome"], waited, ran)
    _write(tallies)
    return Attempt.objects.filter(pk__in=[row["pk"] for row in rows]).update(counted=True)


def _ready(rows: list[dict[str, Any]]) -> dict[int, datetime]:
    """Since when each could have run: submitted, all it depends on done, its attempt before this one ended."""
    tasks = {row["task_id"] for row in rows}
    needed = Task.objects.filter(dependants__in=tasks).order_by().values_list("dependants").annotate(Max("finished_at"))
    done = dict(needed)
    before = {
        (task, number + 1): ended
        for task, number, ended in Attempt.objects.filter(
            task__in={row["task_id"] for row in rows if row["number"] > 1}
        ).values_list("task_id", "number", "finished_at")
    }
    found = {}
    for row in rows:
        moments = [row["task__created_at"], done.get(row["task_id"]), before.get((row["task_id"], row["number"]))]
        found[row["pk"]] = max(moment for moment in moments if moment)
    return found


def _keys(row: Mapping[str, Any]) -> Iterator[Key]:
    """The rows an attempt belongs to: one of each dimension that it has a value of."""
    day = row["finished_at"].astimezone(UTC).date()
    names = {
        Dimension.PACKAGE: row["package"], Dimension.TARGET: row["target"], Dimension.HOST: row["host__name"],
        Dimension.ARCHITECTURE: row["task__architecture"], Dimension.METHOD: row["task__method"],
    }  # fmt: skip
    for grain, begin in ((Grain.DAY, day), (Grain.MONTH, day.replace(day=1))):
        yield Dimension.ALL, grain, begin, ""
        for dimension, name in names.items():
            if name:
                yield dimension, grain, begin, name


def _write(tallies: Mapping[Key, Tally]) -> None:
    """Add to the rows in one order, so that two that count at once do not dead-lock."""
    values = [(*key, *(getattr(tally, one) for one in (*SUMS, *LONGEST))) for key, tally in sorted(tallies.items())]
    with connection.cursor() as cursor:
        cursor.executemany(ADD, values)


# Reading


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Attempts of one name or day: how they ended, and how long they waited and ran (seconds)."""

    name: str
    completed: int
    failed: int
    lost: int
    canceled: int
    waited: float = field(repr=False)
    ran: float = field(repr=False)
    longest_wait: float
    longest_run: float

    @property
    def attempts(self) -> int:
        return self.completed + self.failed + self.lost + self.canceled

    @property
    def success(self) -> float | None:
        """The share that completed of those that nobody canceled; None where there are none."""
        tried = self.completed + self.failed + self.lost
        return self.completed / tried if tried else None

    @property
    def mean_wait(self) -> float:
        return self.waited / self.attempts if self.attempts else 0.0

    @property
    def mean_run(self) -> float:
        return self.ran / self.attempts if self.attempts else 0.0

    @property
    def told(self) -> dict[str, Any]:
        """For export."""
        return {
            "name": self.name, "attempts": self.attempts, "completed": self.completed, "failed": self.failed,
            "lost": self.lost, "canceled": self.canceled,
            "success": None if self.success is None else round(self.success, 4),
            "mean_wait": round(self.mean_wait, 1), "longest_wait": round(self.longest_wait, 1),
            "mean_run": round(self.mean_run, 1), "longest_run": round(self.longest_run, 1),
        }  # fmt: skip


TOLD = ("name", "attempts", "completed", "failed", "lost", "canceled", "success", "mean_wait", "longest_wait",
        "mean_run", "longest_run")  # fmt: skip


def first_day(days: int) -> date:
    """The first of the last so many days, today included."""
    return timezone.now().astimezone(UTC).date() - timedelta(days=days - 1)


def by_day(days: int) -> list[Figures]:
    """Each of the last days, oldest first; one without attempts has zeros."""
    rows = PeriodCount.objects.filter(dimension=Dimension.ALL, grain=Grain.DAY, day__gte=first_day(days))
    found = {f"{row.day}": row for row in rows}
    empty = PeriodCount()
    every = [f"{first_day(days) + timedelta(days=number)}" for number in range(days)]
    return [_figures(day, vars(found.get(day, empty))) for day in every]


def _since(day: date) -> Q:
    """The whole months since this day, and the days before the first of them."""
    month = day if day.day == 1 else (day.replace(day=1) + timedelta(days=31)).replace(day=1)
    return Q(grain=Grain.MONTH, day__gte=month) | Q(grain=Grain.DAY, day__gte=day, day__lt=month)


def by_name(dimension: str, days: int, most: int) -> list[Figures]:
    """The names with most attempts in the last days."""
    sums = {f"{one}_": Sum(one) for one in SUMS} | {f"{one}_": Max(one) for one in LONGEST}
    rows = PeriodCount.objects.filter(_since(first_day(days)), dimension=dimension).order_by().values("name")
    total = F("completed_") + F("failed_") + F("lost_") + F("canceled_")
    top = rows.annotate(**sums).annotate(total=total).order_by("-total", "name")[:most]
    found: list[dict[str, Any]] = list(top)  # type: ignore[arg-type]  # the columns are named by the tables above
    return [_figures(row["name"], {one: row[f"{one}_"] for one in (*SUMS, *LONGEST)}) for row in found]


def figures(dimension: str, days: int, most: int) -> list[Figures]:
    """What the page shows of a dimension; days are newest first."""
    return by_day(days)[::-1] if dimension == Dimension.ALL else by_name(dimension, days, most)


def _figures(name: str, values: Mapping[str, Any]) -> Figures:
    return Figures(name=name, **{one.name: values[one.name] for one in fields(Figures) if one.name != "name"})


def totals(every: Iterable[Figures]) -> Figures:
    """All of them together."""
    rows = list(every)
    sums = {one: sum(getattr(row, one) for row in rows) for one in SUMS}
    return _figures("all", sums | {one: max((getattr(row, one) for row in rows), default=0.0) for one in LONGEST})


ONE_DAY = timedelta(days=1)


def noon(day: str) -> datetime:
    """The middle of a day."""
    return datetime.fromisoformat(f"{day}T12:00:00+00:00")
