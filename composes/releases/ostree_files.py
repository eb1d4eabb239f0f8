"""How files of the served repository are answered: by name, whole, from a byte on, or not at all if known already."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from django.conf import settings

FOREVER = "public, max-age=31536000, immutable"  # objects are named by their content
NAMED_BY_CONTENT = re.compile(r"^repo/objects/[0-9a-f]{2}/[0-9a-f]{62}\.(?:filez|dirtree|dirmeta|commit)\Z")
CHUNK_BYTES = 256 * 1024
PREFIX = "/ostree/repo/"
SPAN = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`file`, at the byte to send first, and how many to send; None where only the headers go."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    file: IO[bytes] | None = None
    size: int = 0


def answer(name: str, asked: Mapping[str, str]) -> Answer:
    """What to send for the file of this name beneath the folder of repositories; `asked`: headers in small letters."""
    try:
        file = _opened(name).open("rb")
    except (FileNotFoundError, NotADirectoryError, PermissionError, IsADirectoryError, ValueError):
        return Answer(status=404)
    status = os.fstat(file.fileno())
    etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
    headers = {
        "ETag": etag, "Last-Modified": formatdate(status.st_mtime, usegmt=True), "Accept-Ranges": "bytes",
        "Cache-Control": FOREVER if NAMED_BY_CONTENT.match(name) else "no-cache", "X-Content-Type-Options": "nosniff",
    }  # fmt: skip
    if _is_known(asked, etag, status.st_mtime):
        file.close()
        return Answer(status=304, headers=headers)
    span = _span(asked, status.st_size, etag)
    if span is None:
        file.close()
        return Answer(status=416, headers={"Content-Range": f"bytes */{status.st_size}"})
    first, end = span
    headers |= {"Content-Type": "application/octet-stream", "Content-Length": str(end - first)}
    if end - first < status.st_size:
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{status.st_size}"
    file.seek(first)
    return Answer(status=206 if "Content-Range" in headers else 200, headers=headers, file=file, size=end - first)


def _opened(name: str) -> Path:
    """The path of this name, links followed. Raises ValueError for one outside of the folder, or hidden."""
    root = _root(str(settings.OSTREE))
    if any(part.startswith(".") for part in name.split("/")) or "\0" in name or name.startswith("/"):
        raise ValueError("hidden")
    path = os.path.realpath(os.path.join(root, name))  # noqa: PTH118 - thousands a second
    if not path.startswith(f"{root}/"):
        raise ValueError("outside")
    if not os.path.isfile(path):  # noqa: PTH113 - as above
        raise FileNotFoundError(path)
    return Path(path)


@lru_cache(maxsize=4)
def _root(folder: str) -> str:
    return os.path.realpath(folder)


def _is_known(asked: Mapping[str, str], etag: str, modified: float) -> bool:
    if tags := asked.get("if-none-match", ""):
        return etag in (each.strip().removeprefix("W/") for each in tags.split(",")) or tags.strip() == "*"
    try:
        return int(modified) <= parsedate_to_datetime(asked["if-modified-since"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return False


def _span(asked: Mapping[str, str], size: int, etag: str) -> tuple[int, int] | None:
    """From which byte to before which; None for a range outside the file."""
    wanted = SPAN.fullmatch(asked.get("range", ""))
    if not wanted or not any(wanted.groups()) or asked.get("if-range", etag) != etag:
        return 0, size
    if not wanted[1]:
        return (max(0, size - int(wanted[2])), size) if int(wanted[2]) and size else None
    first, last = int(wanted[1]), int(wanted[2] or size - 1)
    return (first, min(last + 1, size)) if first <= last and first < size else None


Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class Files:
    """Before Django: a pull asks for thousands of small files, which need no session, no template and no database."""

    def __init__(self, pages: Any) -> None:
        self.pages = pages

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD") or not scope["path"].startswith(PREFIX):
            await self.pages(scope, receive, send)
            return
        asked = {name.decode("latin1"): value.decode("latin1") for name, value in scope["headers"]}
        found = await asyncio.to_thread(answer, scope["path"].removeprefix("/ostree/"), asked)
        if found.status == 404:
            await self.pages(scope, receive, send)  # with its page that says so
            return
        headers = [(name.encode(), value.encode()) for name, value in found.headers.items()]
        try:
            await send({"type": "http.response.start", "status": found.status, "headers": headers})
            if found.file is None or scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b""})
            else:
                await _send_file(found.file, found.size, send)
        finally:
            if found.file:
                found.file.close()


async def _send_file(file: IO[bytes], size: int, send: Send) -> None:
    while True:
        piece = await asyncio.to_thread(file.read, min(size, CHUNK_BYTES))
        size -= len(piece)
        more = bool(size and piece)
        await send({"type": "http.response.body", "body": piece, "more_body": more})
        if not more:
            return
