"""Logs over plain HTTP: pieces for readers without a WebSocket, and the whole as text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from debatomic.tools.errors import InputError
from hosts.live import logs
from hosts.live.log_sources import Growing, Sealed
from hosts.live.tailer import standings
from hosts.models import Task

PIECE_BYTES = 1024 * 1024
RAW_CHUNK = 256 * 1024


def piece(task: Task, attempt: int, name: str, *, offset: int, limit: int) -> HttpResponse:
    """Bytes of a log, with `X-Log-Size`, `X-Log-Over` (1: nothing more can come) and `X-Log-State`.

    A log that did not begin is empty. The standing is asked before the bytes are read: over means all are there.
    """
    key = (task.pk, attempt, name)
    standing = standings([key])[key]
    data, size = b"", 0
    try:
        with closing(logs.find(*key)) as source:
            size = source.size
            data = source.read(offset, limit)
    except logs.NoSuchLog:
        if standing.over:
            raise
    return HttpResponse(
        data,
        content_type="text/plain; charset=utf-8",
        headers={"X-Log-Size": str(size), "X-Log-Over": "1" if standing.over else "0", "X-Log-State": standing.state},
    )


def _number(request: HttpRequest, field: str, default: int, most: int) -> int:
    text = request.GET.get(field, "") or str(default)
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise InputError(f"{field}={text[:20]!r} is not usable: it must be a number of bytes.", field=field)
    return min(int(text), most)


@require_safe
@never_cache
def log_bytes(request: HttpRequest, pk: int, attempt: int, name: str) -> HttpResponse:
    """At most `limit` bytes of a log from `offset` on."""
    task = get_object_or_404(Task.objects.visible_to(request.user), pk=pk)
    try:
        offset = _number(request, "offset", 0, 10**15)
        limit = _number(request, "limit", PIECE_BYTES, PIECE_BYTES)
        return piece(task, attempt, name, offset=offset, limit=limit)
    except logs.NoSuchLog as error:
        raise Http404(str(error)) from error
    except InputError as error:
        return HttpResponse(error.sentence, status=400, content_type="text/plain; charset=utf-8")


@require_safe
@never_cache
def log_raw(request: HttpRequest, pk: int, attempt: int, name: str) -> HttpResponseBase:
    """The whole log as it is now, as text."""
    task = get_object_or_404(Task.objects.visible_to(request.user), pk=pk)
    try:
        source = logs.find(task.pk, attempt, name)
    except logs.NoSuchLog as error:
        raise Http404(str(error)) from error
    size = source.size
    headers = {"Content-Length": str(size), "Content-Disposition": f'inline; filename="{name}-{pk}-{attempt}.log"'}
    return StreamingHttpResponse(_chunks(source, size), content_type="text/plain; charset=utf-8", headers=headers)


async def _chunks(source: Growing | Sealed, size: int) -> AsyncIterator[bytes]:
    with closing(source):
        for offset in range(0, size, RAW_CHUNK):
            yield await asyncio.to_thread(source.read, offset, min(RAW_CHUNK, size - offset))
