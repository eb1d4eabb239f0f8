"""Removes stored content that no row names, as that of an upload whose end never came, and what was left half-written.

Content that came within a day stays, whoever names it: its row may be about to be written.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.conf import settings

from hosts import registry
from hosts.builder import local
from hosts.kept import store
from hosts.models import Artifact, Task

logger = logging.getLogger(__name__)

KEPT_SECONDS = 86400.0
PAUSE_SECONDS = 60.0  # between two of the sub folders: once round in four and a half hours
BATCH = 500  # digests in one query
FOLDERS = [f"{number:02x}" for number in range(256)]


def clean_next() -> int:
    """Clean the next sub folder of the store when it is time, whoever asks how often; the number of files removed."""
    with _note() as note:
        if note is None or (folder := _due(note)) is None:
            return 0
        note.truncate(0)
        note.write(folder)  # first: one that cannot be cleaned does not keep the others from it
        note.flush()
        removed = clean(folder)
        store.forget_half_written(time.time() - KEPT_SECONDS)
    if removed:
        logger.info("%d stored files that nothing names were removed from %s", removed, folder)
    return removed


@contextmanager
def _note() -> Iterator[IO[str] | None]:
    """The file that says which sub folder was cleaned last, and when; None while another process has it."""
    root = Path(settings.ARTIFACTS)
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".cleaned").open("a+") as note:
        try:
            fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield note


def _due(note: IO[str]) -> str | None:
    note.seek(0)
    last = note.read()
    if last not in FOLDERS:
        return FOLDERS[0]
    if 0 <= time.time() - os.fstat(note.fileno()).st_mtime < PAUSE_SECONDS:
        return None
    return FOLDERS[(FOLDERS.index(last) + 1) % len(FOLDERS)]


def clean(folder: str) -> int:
    """Remove what nothing names from one sub folder; the number of files removed."""
    before = time.time() - KEPT_SECONDS
    old = store.older(folder, before)
    return sum(store.remove(sha256, before) for sha256 in old - registry.named(old))


# What the rows of this app name


def by_artifacts(contents: Set[str]) -> set[str]:
    """Those of these digests that artifacts have, logs among them."""
    ordered = sorted(contents)
    found: set[str] = set()
    for start in range(0, len(ordered), BATCH):
        batch = Artifact.objects.filter(sha256__in=ordered[start : start + BATCH])
        found.update(batch.order_by().values_list("sha256", flat=True))
    return found


def by_requests(contents: Set[str]) -> set[str]:
    """Those that the requests of live tasks name."""
    requests = Task.objects.live().order_by().values_list("request", flat=True).iterator(chunk_size=BATCH)
    return {text for request in requests for text in local.texts(request) if text in contents}


def register_contents() -> None:
    registry.register_contents(by_artifacts)
    registry.register_contents(by_requests)
