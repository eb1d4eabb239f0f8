"""Where kept content lies: what a folder and a bucket can both do. Content is named by its SHA-256 and never changes.

What is asked for and not there is a FileNotFoundError; a place that does not answer is an InfrastructureError.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Protocol

from debatomic.tools.errors import InputError

CHUNK = 1024 * 1024
DIGEST = re.compile(r"[0-9a-f]{64}")
Tick = Callable[[], object]


class Place(Protocol):
    """All moments are in seconds of the epoch."""

    def check(self) -> None:
        """Find out whether it can be used at all."""

    def size(self, sha256: str) -> int:
        """Bytes of this content."""

    def open(self, sha256: str) -> IO[bytes]:
        """This content, to read; it can seek."""

    def nearby(self, sha256: str) -> Path | None:
        """The file itself, where it lies on this machine."""

    def link(self, sha256: str, *, media_type: str, disposition: str) -> str:
        """An address that gives it to anybody for some minutes; empty where the application serves it."""

    def renew(self, sha256: str) -> bool:
        """Have it kept for another day, whoever names it; False if it is not there."""

    def put(self, source: Path, tick: Tick | None) -> tuple[str, int]:
        """Keep a copy of a file: its SHA-256 and size. `tick` is called after every MiB."""

    def receive(self, chunks: Iterable[bytes], sha256: str, *, limit: int) -> int:
        """Keep what is sent, once it is whole and has this SHA-256: its size."""

    def older(self, folder: str, moment: float) -> set[str]:
        """The content whose SHA-256 begins so that did not come, and was not renewed, since then."""

    def remove(self, sha256: str, before: float) -> bool:
        """Remove content that did not come, and was not renewed, since then; False if it did, or is gone."""

    def forget_half_written(self, before: float) -> None:
        """Remove what processes that died before then left on its way in."""


def checked(sha256: str) -> str:
    """The same. Raises InputError for what is no SHA-256."""
    if not DIGEST.fullmatch(sha256):
        raise InputError(f"{sha256[:80]!r} is not a SHA-256 in hex.")
    return sha256


def require_size(size: int, limit: int) -> None:
    """Raises InputError."""
    if size > limit:
        raise InputError(f"The file is larger than the {limit} bytes this hub takes.")


def require_same(arrived: str, announced: str) -> None:
    """Raises InputError."""
    if arrived != announced:
        raise InputError(f"The file arrived with SHA-256 {arrived}, announced was {announced}.", hint="Send it again.")


def pieces(file: IO[bytes], tick: Tick | None = None) -> Iterator[bytes]:
    """What a file has, from where it stands, one MiB after the other; `tick` is called after each."""
    while chunk := file.read(CHUNK):
        yield chunk
        if tick:
            tick()
