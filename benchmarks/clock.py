"""Times of the wall and of the processors: ours, and of the PostgreSQL server's process that serves our connection."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


def server_process() -> int:
    """The process that serves our connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def milliseconds_of(process: int) -> float:
    """What a process used of the processors so far, to the nanosecond as Linux counts it."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e6


class Clock:
    """Milliseconds of the wall, of our process and of the server's, call by call."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.own: list[float] = []
        self.server: list[float] = []
        self._server = server_process()

    def call(self, act: Callable[[], T]) -> T:
        began, own, server = time.perf_counter(), time.process_time(), milliseconds_of(self._server)
        answer = act()
        self.own.append((time.process_time() - own) * 1000)
        self.server.append(milliseconds_of(self._server) - server)
        self.wall.append((time.perf_counter() - began) * 1000)
        return answer

    @property
    def medians(self) -> tuple[float, float, float]:
        """Of the wall, our process, the server's."""
        return statistics.median(self.wall), statistics.median(self.own), statistics.median(self.server)

    def row(self, name: str) -> str:
        wall, own, server = self.medians
        return f"| {name} | {wall:.1f} | {min(self.wall):.1f} | {own:.1f} | {server:.1f} |"


HEAD = "| what | median ms | least ms | our processor ms | the server's |\n|---|---|---|---|---|"
