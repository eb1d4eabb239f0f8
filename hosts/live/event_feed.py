"""The Event table, followed once per process (event loop) and second, for all pages that listen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from django.utils import timezone

from hosts.live.topics import public_among
from hosts.models import Event

POLL_SECONDS = 1.0
# Rows are looked for again this long: a transaction that took its id early may commit late.
SETTLED_AFTER = timedelta(seconds=15)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class News:
    """One event as pages hear of it."""

    message: dict[str, Any]
    topics: frozenset[str]
    public: bool


def news_of(events: list[Event]) -> dict[int, News]:
    """What to tell of each event."""
    public = public_among(events)
    return {
        event.pk: News(
            message={"kind": event.kind, "key": event.key, "what": event.what, "topics": event.topics,
                     "at": event.at.isoformat()},
            topics=frozenset(event.topics),
            public=event.pk in public,
        )
        for event in events
    }  # fmt: skip


def look(known: set[int]) -> tuple[set[int], dict[int, News]]:
    """The ids of all events that are not settled yet, and news of those not known."""
    unsettled = set(Event.objects.filter(at__gte=timezone.now() - SETTLED_AFTER).values_list("pk", flat=True))
    fresh = Event.objects.filter(pk__in=unsettled - known).order_by("pk")
    return unsettled, news_of(list(fresh))


Listener = Callable[[list[News]], None]


class EventFeed:
    """Tells listeners what is new; it polls while there are any."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._recent: dict[int, News] = {}
        self._runner: asyncio.Task[None] | None = None

    @property
    def recent(self) -> list[News]:
        """What happened in the last seconds: a page may have been rendered before and listen only now."""
        return list(self._recent.values())

    @asynccontextmanager
    async def listening(self, listener: Listener) -> AsyncIterator[None]:
        """Call `listener` with every batch of news while the block runs."""
        if not self._listeners:
            _, recent = await database_sync_to_async(look)(set())
            self._recent = self._recent if self._listeners else recent
        self._listeners.add(listener)
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._listeners.discard(listener)

    async def _run(self) -> None:
        while self._listeners:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self._poll()
            except Exception:
                logger.exception("Events cannot be read right now; trying again.")

    async def _poll(self) -> None:
        unsettled, fresh = await database_sync_to_async(look)(set(self._recent))
        self._recent = {pk: news for pk, news in {**self._recent, **fresh}.items() if pk in unsettled}
        if fresh:
            for listener in list(self._listeners):
                listener(list(fresh.values()))


_feeds: WeakKeyDictionary[asyncio.AbstractEventLoop, EventFeed] = WeakKeyDictionary()


def event_feed() -> EventFeed:
    """The feed of the running event loop."""
    return _feeds.setdefault(asyncio.get_running_loop(), EventFeed())
