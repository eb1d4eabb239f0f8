"""What browsers talk to over WebSockets: one log from any offset, and events of the topics a page shows."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth import get_user_model

from hosts.live import topics
from hosts.live.event_feed import News, event_feed
from hosts.live.logs import NAME
from hosts.live.tailer import Key, Tail, tailer
from hosts.models import Task

FRAME_BYTES = 64 * 1024
WINDOW_BYTES = 512 * 1024  # sent and not acknowledged; daphne would buffer any amount for a reader that is slow
RIGHTS_SECONDS = 30.0  # how long after losing the right to see it somebody may still be watching
NOT_UNDERSTOOD, NOT_FOUND, FAULT = 4400, 4404, 4500  # an application may close with 1000 and 3000–4999 only

logger = logging.getLogger(__name__)


class Consumer(AsyncWebsocketConsumer):
    """A WebSocket that works on its own while it is open: `work` ends with the connection, and the other way round."""

    _work: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        await self.accept()  # also to say no: a browser is told the code of an accepted connection only
        self._work = asyncio.create_task(self._guarded())

    async def disconnect(self, code: int) -> None:
        if self._work:
            self._work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._work

    async def _guarded(self) -> None:
        try:
            await self.close(await self.work())
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("The WebSocket %s ended.", self.scope["path"])
            await self.close(FAULT)

    async def work(self) -> int:
        """What the consumer does; returns the code to close with."""
        raise NotImplementedError

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            message = json.loads(text_data or "")
        except ValueError:
            message = None
        if isinstance(message, dict):
            await self.heard(message)

    async def heard(self, message: dict[str, Any]) -> None:
        """Handle one message of the browser."""
        raise NotImplementedError


class LogConsumer(Consumer):
    """The bytes of a log from `?offset=` on, as they come; the reader acknowledges with `{"at": offset}`."""

    acknowledged = 0

    async def connect(self) -> None:
        route = self.scope["url_route"]["kwargs"]
        self.key: Key = (int(route["task"]), int(route["attempt"]), route["name"])
        self._credit = asyncio.Event()
        await super().connect()

    async def heard(self, message: dict[str, Any]) -> None:
        at = message.get("at")
        if isinstance(at, int):
            self.acknowledged = max(self.acknowledged, at)
            self._credit.set()

    async def work(self) -> int:
        offset = _offset(self.scope["query_string"])
        if offset is None or not NAME.fullmatch(self.key[2]):
            return NOT_UNDERSTOOD
        if not await self._may_see():
            return NOT_FOUND
        self.acknowledged = offset
        async with tailer().follow(self.key) as tail:
            sending = asyncio.create_task(self._send_all(tail, offset))
            try:
                return await self._while_allowed(sending)
            finally:
                sending.cancel()

    async def _while_allowed(self, sending: asyncio.Task[int]) -> int:
        while not sending.done():
            await asyncio.wait([sending], timeout=RIGHTS_SECONDS)
            if not sending.done() and not await self._may_see():
                return NOT_FOUND
        return sending.result()

    async def _send_all(self, tail: Tail, offset: int) -> int:
        while True:
            await tail.beyond(offset)
            room = await self._room(offset)
            data = await tail.read(offset, min(room, FRAME_BYTES))
            if data:
                offset += len(data)
                await self.send(bytes_data=data)
            elif tail.ended:
                await self.send(text_data=json.dumps({"end": True, "size": tail.size, "state": tail.state}))
                return 1000

    async def _room(self, offset: int) -> int:
        """Bytes that may be sent now; waits for the reader where there are none."""
        while (room := self.acknowledged + WINDOW_BYTES - offset) <= 0:
            self._credit.clear()
            await self._credit.wait()
        return room

    @database_sync_to_async
    def _may_see(self) -> bool:
        return _fresh_user_sees(self.scope["user"], self.key[0])


def _offset(query: bytes) -> int | None:
    text = parse_qs(query.decode("latin-1")).get("offset", ["0"])[-1]
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def _as_now(user: Any) -> Any:
    """The person with the roles of now; None for one who is gone."""
    return get_user_model().objects.filter(pk=user.pk).first() if user.is_authenticated else user


def _fresh_user_sees(user: Any, task_id: int) -> bool:
    """Whether the task is visible to this person as their roles are now, not as they were at sign-in."""
    now = _as_now(user)
    return now is not None and Task.objects.visible_to(now).filter(pk=task_id).exists()


class EventConsumer(Consumer):
    """Events of the topics the browser named with `{"listen": [...]}`, as far as this person may know of them."""

    async def connect(self) -> None:
        self.topics: set[str] = set()
        self._look_again_at = 0.0
        self._queue: asyncio.Queue[list[News]] = asyncio.Queue()
        await super().connect()

    async def heard(self, message: dict[str, Any]) -> None:
        named = message.get("listen")
        if isinstance(named, list):
            new = await self._allowed([topic for topic in named if isinstance(topic, str)])
            self._look_again_at = time.monotonic() + RIGHTS_SECONDS
            await self.send(text_data=json.dumps({"listening": sorted(new)}))
            before, self.topics = self.topics, new
            self._queue.put_nowait([news for news in event_feed().recent if not news.topics & before])

    async def work(self) -> int:
        async with event_feed().listening(self._queue.put_nowait):
            while True:
                batch = await self._queue.get()
                if self._wanted(batch) and time.monotonic() > self._look_again_at:
                    self.topics = await self._allowed(sorted(self.topics))
                    self._look_again_at = time.monotonic() + RIGHTS_SECONDS
                if events := self._wanted(batch):
                    await self.send(text_data=json.dumps({"events": events}))

    def _wanted(self, batch: list[News]) -> list[dict[str, Any]]:
        return [news.message for news in batch if news.topics & self.topics and self._may_hear(news)]

    def _may_hear(self, news: News) -> bool:
        return bool(news.public or self.scope["user"].is_authenticated)

    @database_sync_to_async
    def _allowed(self, named: list[str]) -> set[str]:
        now = _as_now(self.scope["user"])
        return topics.allowed(now, named) if now is not None else set()


class NowhereConsumer(Consumer):
    """Any other address: answered, so that a mistyped one is no error of ours."""

    async def work(self) -> int:
        return NOT_FOUND

    async def heard(self, message: dict[str, Any]) -> None:
        """Nothing is listened to."""
