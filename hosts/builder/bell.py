"""What ends the pause of a cluster that has nothing to do: word of new work (hosts.hub.waking), or a free worker.

Neither is relied upon: every pause ends by itself.
"""

from __future__ import annotations

import os
import select
import time

from django.db import connection

from hosts.hub.waking import CHANNEL

GATHER_SECONDS = 0.03  # after a worker came free: others may follow, and one claim serves them all
_free: int | None = None  # an eventfd that the processes of a cluster share
_listening: object = None  # the connection


def hang() -> None:
    """Make the bell, before the cluster forks."""
    global _free  # noqa: PLW0603 - forks inherit it
    _free = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)


def ring(*_: object) -> None:
    """A worker is free, or there is work."""
    if _free is not None:
        os.eventfd_write(_free, 1)


def listen() -> int | None:
    """A file descriptor that can be read when the database has word of new work; None where it carries none.

    Raises what the database raises.
    """
    global _listening  # noqa: PLW0603 - one connection in each process
    if connection.vendor != "postgresql":
        return None
    connection.ensure_connection()
    if connection.connection is not _listening:
        connection.connection.add_notify_handler(ring)  # for word that comes with the answer to a query
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        _listening = connection.connection
    with connection.wrap_database_errors:
        return int(connection.connection.fileno())


def pause(seconds: float, word: int | None) -> None:
    """Wait, at most so long, until the bell rings or there is word."""
    bells = [fd for fd in (_free, word) if fd is not None]
    if not bells:
        time.sleep(seconds)
        return
    heard = select.select(bells, [], [], seconds)[0]
    if _free in heard and _free is not None:
        if word not in heard:
            time.sleep(min(GATHER_SECONDS, seconds))
        os.eventfd_read(_free)
