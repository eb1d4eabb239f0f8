"""Following a task on a terminal or in a plain log: what runs, since when, how far."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TextIO

from django.utils import timezone

from hosts.models import State, Task
from hosts.queue.why import why_waiting

POLL_SECONDS = 0.5
PLAIN_EVERY_SECONDS = 30.0  # between two lines that say the same, where nothing can be overwritten


@dataclass(frozen=True, kw_only=True)
class View:
    """What is told of a task at one moment."""

    title: str
    state: str
    step: str  # "3/7 build"; changes are news
    detail: str = ""  # how far in it, or why it waits
    since: datetime
    now: datetime

    @property
    def line(self) -> str:
        clock = timezone.localtime(self.since).strftime("%H:%M:%S")
        told = ", ".join(part for part in (self.step, self.detail) if part)
        age = duration(self.now - self.since)
        return f"{self.title}: {self.state} since {clock} ({age}){' — ' if told else ''}{told}"

    @property
    def news(self) -> tuple[str, str, str]:
        """What makes a line worth saying again."""
        return self.title, self.state, self.step


def duration(span: timedelta) -> str:
    """Minutes and seconds of a timedelta, as 3:07."""
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    return f"{minutes}:{seconds:02}"


def current(task: Task) -> Task:
    """The task itself, or the child of it that runs now, or else the first that is not over."""
    live = task.children.live().order_by("pk")
    return live.filter(state=State.RUNNING).first() or live.first() or task


def view(task: Task) -> View:
    shown = current(task)
    report = shown.progress if shown.state == State.RUNNING else {}
    step = f"{report.get('number', '?')}/{report.get('total', '?')} {report['phase']}" if report.get("phase") else ""
    share = f"{report['fraction']:.0%}" if report.get("fraction") else ""
    detail = " ".join(part for part in (share, str(report.get("detail", ""))) if part)
    if shown.state == State.FREE:
        detail = why_waiting(shown)
    return View(title=shown.title, state=shown.state, step=step, detail=detail,
                since=shown.started_at or shown.created_at, now=timezone.now())  # fmt: skip


class Screen:
    """One line that is overwritten on a terminal; elsewhere a line per change, and one now and then."""

    def __init__(self, out: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.out = out
        self.clock = clock
        self.is_terminal = out.isatty()
        self._said: tuple[str, str, str] | None = None
        self._said_at = 0.0

    def show(self, seen: View) -> None:
        if self.is_terminal:
            width = shutil.get_terminal_size().columns - 1
            self.out.write(f"\r\x1b[K{seen.line[:width]}")
        elif self._is_news(seen):
            self.out.write(f"{seen.line}\n")
        self.out.flush()

    def _is_news(self, seen: View) -> bool:
        if seen.news == self._said and self.clock() - self._said_at < PLAIN_EVERY_SECONDS:
            return False
        self._said, self._said_at = seen.news, self.clock()
        return True

    def clear(self) -> None:
        if self.is_terminal:
            self.out.write("\r\x1b[K")
            self.out.flush()


def follow(task: Task, screen: Screen, *, check: Callable[[], object]) -> Task:
    """Show a task until it is over; `check` is asked at each look and raises when waiting makes no sense."""
    while not task.is_final:
        screen.show(view(task))
        check()
        time.sleep(POLL_SECONDS)
        task.refresh_from_db()
    screen.clear()
    return task
