"""A django-q cluster as the builder runs it, seen from inside: it dies with the builder, and leaves signs of life.

Its folder holds `polled` (renewed whenever it asks for work), `workers/<pid>` (there until a worker ends well) and,
once the builder retired it, `retired`: then it takes no more work.
"""

from __future__ import annotations

import gc
import os
import time
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from django.db import connection
from django_q.cluster import Cluster
from django_q.signals import post_spawn

from hosts.builder import bell, lifeline

_folder: Path | None = None  # inherited by the processes that the cluster forks


def name() -> str:
    """Which cluster this process belongs to; empty outside of any."""
    return _folder.name if _folder else ""


def may_claim() -> bool:
    """Whether this cluster still takes work; asking is its sign of life."""
    if _folder is None:
        return True
    show_life(_folder)
    return not (_folder / "retired").exists()


def show_life(folder: Path) -> None:
    """Note when a cluster last asked for work, in seconds of the machine's uptime: a time of day may leap."""
    (folder / "polled").touch()
    os.utime(folder / "polled", (time.monotonic(), time.monotonic()))


def silent_seconds(folder: Path) -> float:
    """Since a cluster last asked for work."""
    return time.monotonic() - (folder / "polled").stat().st_mtime


def serve(folder: Path, builder: int) -> None:
    """Be the main process of a cluster for this builder (a process id), until killed."""
    global _folder  # noqa: PLW0603 - forks inherit it
    lifeline.die_with(builder)
    lifeline.tie_forks()
    _folder = folder
    (folder / "workers").mkdir(parents=True, exist_ok=True)
    connection.settings_dict["CONN_HEALTH_CHECKS"] = False  # whatever is said to the hub is said again if need be
    post_spawn.connect(_sign_in)
    bell.hang()
    running = Cluster()
    gc.collect()
    gc.freeze()  # what is there now stays, shared by all forks: no collector touches it
    running.start()
    assert running.sentinel is not None
    while running.sentinel.is_alive():
        time.sleep(0.2)


def _sign_in(**_: Any) -> None:
    """A worker began: its sign stays behind if it is killed, which may dead-lock the queue all workers share."""
    assert _folder is not None
    sign = _folder / "workers" / str(os.getpid())
    sign.touch()
    Finalize(None, sign.unlink, kwargs={"missing_ok": True}, exitpriority=10)
