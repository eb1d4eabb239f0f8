"""Follows logs for all viewers of one process: one look at each file every 0.1 s, one query for all tasks every second.

Everything here runs in one event loop; each loop has its own tailer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async

from hosts.live import logs
from hosts.live.log_sources import Growing, Sealed
from hosts.models import FINAL, Log, State, Task

LOOK_SECONDS = 0.1
ASK_SECONDS = 1.0
Key = tuple[int, int, str]  # task, attempt, name

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Standing:
    """Where the attempt of a log stands: the task's state, and whether nothing can be added any more."""

    state: str
    over: bool


def standings(keys: Iterable[Key]) -> dict[Key, Standing]:
    """The standing of each log, by two queries; a task that is gone is over."""
    keys = set(keys)
    ids = {task for task, _, _ in keys}
    tasks = {pk: (attempt, state) for pk, attempt, state in
             Task.objects.filter(pk__in=ids).values_list("pk", "attempt", "state")}  # fmt: skip
    sealed = set(
        Log.objects.filter(task__in=ids, sealed_at__isnull=False).values_list("task_id", "attempt", "name").distinct()
    )
    return {key: _standing(key, tasks.get(key[0], (0, "")), sealed) for key in keys}


def _standing(key: Key, task: tuple[int, str], sealed: set[Key]) -> Standing:
    number, state = task
    given_up = number == key[1] > 0 and state == State.FREE  # the host was lost; the next attempt gets its own log
    over = not state or state in FINAL or given_up or number > key[1] or key in sealed
    return Standing(state=state, over=over)


@dataclass(eq=False)
class Tail:
    """One log as its viewers see it. `ended` is true when `size` is final."""

    key: Key
    size: int = 0
    ended: bool = False
    state: str = ""
    viewers: int = 0
    _source: Growing | Sealed | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def beyond(self, offset: int) -> None:
        """Wait until there is something after `offset`, or nothing can come any more."""
        while self.size <= offset and not self.ended:
            await self._news.wait()

    async def read(self, offset: int, limit: int) -> bytes:
        if isinstance(self._source, Sealed):
            return await asyncio.to_thread(self._source.read, offset, limit)
        return self._source.read(offset, limit) if self._source else b""

    def look(self) -> None:
        """See how large the file is now."""
        if self._source is None:
            try:
                self._source = Growing(logs.path_of(*self.key))
            except FileNotFoundError:
                return
        if self._source.size != self.size:
            self.size = self._source.size
            self._tell()

    async def learn(self, standing: Standing) -> None:
        """Take note of the task's standing; at its end the size is looked at once more, and is final then."""
        self.state = standing.state
        if not standing.over or self.ended:
            return
        self.look()
        if self._source is None:
            self._source = await database_sync_to_async(_sealed)(self.key)
            self.size = self._source.size if self._source else 0
        self.ended = True
        self._tell()

    def close(self) -> None:
        if self._source:
            self._source.close()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def _sealed(key: Key) -> Growing | Sealed | None:
    try:
        return logs.find(*key)
    except logs.NoSuchLog:
        return None


class Tailer:
    """All followed logs of one event loop; it runs while there are any."""

    def __init__(self) -> None:
        self._tails: dict[Key, Tail] = {}
        self._runner: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def follow(self, key: Key) -> AsyncIterator[Tail]:
        """Follow a log while the block runs; all who follow the same one share one Tail."""
        tail = self._tails.setdefault(key, Tail(key))
        tail.viewers += 1
        try:
            if tail.viewers == 1:
                await self._learn([tail])
            if self._runner is None or self._runner.done():
                self._runner = asyncio.create_task(self._run())
            yield tail
        finally:
            tail.viewers -= 1
            if not tail.viewers:
                self._tails.pop(key).close()

    async def _learn(self, tails: Iterable[Tail]) -> None:
        tails = list(tails)
        known: Mapping[Key, Standing] = await database_sync_to_async(standings)([tail.key for tail in tails])
        for tail in tails:
            if tail.viewers:
                tail.look()
                await tail.learn(known[tail.key])

    async def _run(self) -> None:
        next_question = time.monotonic() + ASK_SECONDS
        while self._tails:
            await asyncio.sleep(LOOK_SECONDS)
            growing = [tail for tail in self._tails.values() if not tail.ended]
            asking = bool(growing) and time.monotonic() >= next_question
            try:
                for tail in growing:
                    tail.look()
                if asking:
                    await self._learn(growing)
            except Exception:
                logger.exception("Followed logs cannot be looked at right now; trying again.")
            if asking:
                next_question = time.monotonic() + ASK_SECONDS


_tailers: WeakKeyDictionary[asyncio.AbstractEventLoop, Tailer] = WeakKeyDictionary()


def tailer() -> Tailer:
    """The tailer of the running event loop."""
    return _tailers.setdefault(asyncio.get_running_loop(), Tailer())
