"""A web process says that it is there, as long as its event loop turns: else the leases of far hosts are not judged."""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from django.utils import timezone

from hosts.models import WebPresence

SECONDS = 5.0

logger = logging.getLogger(__name__)
_tellers: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()


class Present:
    """An ASGI application that tells so from its first connection on: servers do not say when they begin."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        loop = asyncio.get_running_loop()
        if loop not in _tellers:
            _tellers[loop] = loop.create_task(_tell())
        return await self.application(scope, receive, send)


async def _tell() -> None:
    while True:
        try:
            await database_sync_to_async(_note)()
        except Exception:
            logger.exception("The database was not told that this web process is there")
        await asyncio.sleep(SECONDS)


def _note() -> None:
    WebPresence.objects.note(timezone.now())
