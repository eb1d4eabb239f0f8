"""How a kept file is sent: whole or from a byte on, never as something a browser would run."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import IO

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.http.response import StreamingHttpResponse
from django.utils.http import content_disposition_header

from hosts.kept import store
from hosts.models import Artifact

CHUNK_BYTES = 256 * 1024
SHOWN = {"image/png", "text/plain"}  # by the browser itself; everything else is saved


def download(request: HttpRequest, artifact: Artifact) -> HttpResponseBase:
    """The file's bytes; answers `Range: bytes=N-` and `bytes=N-M` with 206, so a broken download goes on."""
    etag = f'"{artifact.sha256}"'
    if request.headers.get("If-None-Match") == etag:
        return HttpResponse(status=304, headers={"ETag": etag})
    span = _span(request, artifact.size, etag)
    if span is None:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{artifact.size}"})
    try:
        if address := store.link(artifact.sha256, **_shown(artifact)):
            return HttpResponseRedirect(address, headers={"Cache-Control": "private, no-store"})
        file = store.open(artifact.sha256)
    except FileNotFoundError:
        raise Http404(f"{artifact} is not kept any more.") from None
    response = _streamed(request, file, *span)
    response.status_code = 206 if span[1] - span[0] < artifact.size else 200
    for name, value in _headers(artifact, *span, etag).items():
        response.headers[name] = value
    return response


def whole(request: HttpRequest, sha256: str) -> StreamingHttpResponse:
    """All of some content, for a host. Raises FileNotFoundError."""
    size = store.size(sha256)
    response = _streamed(request, store.open(sha256), 0, size)
    response.headers["Content-Type"], response.headers["Content-Length"] = "application/octet-stream", str(size)
    return response


def _streamed(request: HttpRequest, file: IO[bytes], first: int, end: int) -> StreamingHttpResponse:
    file.seek(first)
    is_async = isinstance(request, ASGIRequest)
    return StreamingHttpResponse(_pieces_async(file, end - first) if is_async else pieces(file, end - first))


def _span(request: HttpRequest, size: int, etag: str) -> tuple[int, int] | None:
    """From which byte to before which; None for a range outside the file."""
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
    if not wanted or request.headers.get("If-Range", etag) != etag:
        return 0, size
    first, last = int(wanted[1]), int(wanted[2] or size - 1)
    return (first, min(last + 1, size)) if first <= last and first < size else None


def _shown(artifact: Artifact) -> dict[str, str]:
    """How a browser is to take it."""
    shown = artifact.media_type in SHOWN
    return {
        "media_type": artifact.media_type if shown else "application/octet-stream",
        "disposition": content_disposition_header(not shown, artifact.name) or "attachment",
    }


def _headers(artifact: Artifact, first: int, end: int, etag: str) -> dict[str, str]:
    shown = _shown(artifact)
    headers = {
        "Content-Type": shown["media_type"],
        "Content-Length": str(end - first),
        "Content-Disposition": shown["disposition"],
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Cache-Control": "private, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
    }
    if end - first < artifact.size:
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{artifact.size}"
    return headers


def part(request: HttpRequest, sha256: str, first: int, end: int) -> StreamingHttpResponse:
    """Some content from one byte to before another. Raises FileNotFoundError."""
    return _streamed(request, store.open(sha256), first, end)


def pieces(file: IO[bytes], size: int) -> Iterator[bytes]:
    """So many bytes of a file, which is closed behind them."""
    with file:
        while size and (piece := file.read(min(size, CHUNK_BYTES))):
            size -= len(piece)
            yield piece


async def _pieces_async(file: IO[bytes], size: int) -> AsyncIterator[bytes]:
    """The same under daphne, which would else read the whole file into memory before the first byte."""
    with file:
        while size and (piece := await sync_to_async(file.read, thread_sensitive=False)(min(size, CHUNK_BYTES))):
            size -= len(piece)
            yield piece
