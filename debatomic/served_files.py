"""How files of repositories are answered: by name, whole, from a byte on, or not at all if known already."""

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

FOREVER = "public, max-age=31536000, immutable"  # what is named by its content
CHUNK_BYTES = 256 * 1024
SPAN = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A folder that is served to everybody: names in `forever` never mean other content."""

    prefix: str  # of the address, with slashes around
    root: str
    forever: re.Pattern[str]

    def answer(self, name: str, asked: Mapping[str, str]) -> Answer:
        """What to send for the file of this name beneath the folder; `asked`: headers in small letters."""
        return answer(self, name, asked)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`file`, at the byte to send first, and how many to send; None where only the headers go."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    file: IO[bytes] | None = None
    size: int = 0


def answer(tree: Tree, name: str, asked: Mapping[str, str]) -> Answer:
    """The same as `Tree.answer`."""
    try:
        file = _opened(tree.root, name).open("rb")
    except (FileNotFoundError, NotADirectoryError, PermissionError, IsADirectoryError, ValueError):
        return Answer(status=404)
    status = os.fstat(file.fileno())
    etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
    headers = {
        "ETag": etag, "Last-Modified": formatdate(status.st_mtime, usegmt=True), "Accept-Ranges": "bytes",
        "Cache-Control": FOREVER if tree.forever.match(name) else "no-cache", "X-Content-Type-Options": "nosniff",
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


def _opened(folder: str, name: str) -> Path:
    """The path of this name, links followed. Raises ValueError for one outside of the folder, or hidden."""
    root = _root(folder)
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

    def __init__(self, pages: Any, *trees: Callable[[], Tree]) -> None:
        self.pages = pages
        self.trees = trees

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        tree = next((each for each in (made() for made in self.trees) if scope["path"].startswith(each.prefix)), None)
        if scope["method"] not in ("GET", "HEAD") or tree is None:
            await self.pages(scope, receive, send)
            return
        asked = {name.decode("latin1"): value.decode("latin1") for name, value in scope["headers"]}
        answered = await asyncio.to_thread(tree.answer, scope["path"].removeprefix(tree.prefix), asked)
        if answered.status == 404:
            await self.pages(scope, receive, send)  # with its page that says so
            return
        headers = [(name.encode(), value.encode()) for name, value in answered.headers.items()]
        try:
            await send({"type": "http.response.start", "status": answered.status, "headers": headers})
            if answered.file is None or scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b""})
            else:
                await _send_file(answered.file, answered.size, send)
        finally:
            if answered.file:
                answered.file.close()


async def _send_file(file: IO[bytes], size: int, send: Send) -> None:
    while True:
        piece = await asyncio.to_thread(file.read, min(size, CHUNK_BYTES))
        size -= len(piece)
        more = bool(size and piece)
        await send({"type": "http.response.body", "body": piece, "more_body": more})
        if not more:
            return
