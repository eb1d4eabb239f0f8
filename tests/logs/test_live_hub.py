"""A real daphne: slow readers, lost connections, a server that is killed."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from hosts.live import logs
from hosts.models import State, Task
from tests.logs.scenes import LiveHub, end, running_task, write


@pytest.fixture
def served(live_hub: LiveHub) -> tuple[LiveHub, Task]:
    return live_hub, running_task()


def reader_at(hub: LiveHub, task: Task, offset: int) -> ClientConnection:
    address = f"{hub.sockets}/ws/logs/{task.pk}/1/build/?offset={offset}"
    return connect(
        address, origin=Origin(hub.address), max_size=None, max_queue=16, compression=None, close_timeout=0.2
    )


def frames(reader: ClientConnection, offset: int) -> Iterator[bytes | dict[str, Any]]:
    """What comes; every piece is acknowledged when the next is asked for."""
    for frame in reader:
        if isinstance(frame, str):
            yield json.loads(frame)
            return
        yield frame
        offset += len(frame)
        with suppress(ConnectionClosedOK):  # the server has said its last word; what it sent before is still to be read
            reader.send(json.dumps({"at": offset}))


def pieces(number: int) -> Iterator[bytes]:
    """Megabytes that do not repeat."""
    for n in range(number):
        yield b"".join(hashlib.sha256(b"%d.%d" % (n, k)).hexdigest().encode() + b"\n" for k in range(16_132))


def test_a_slow_reader_gets_every_byte_and_costs_the_server_nothing(served: tuple[LiveHub, Task]) -> None:
    hub, task = served
    content = b"".join(pieces(20))
    for start in range(0, len(content), 1 << 20):
        write(task, content[start : start + (1 << 20)])
    end(task)
    daphne = psutil.Process(hub.pid)
    silent = reader_at(hub, task, 0)  # never reads nor acknowledges, so it cannot say goodbye either
    with closing(silent.socket), reader_at(hub, task, 0) as reader:
        before = daphne.memory_info().rss
        received, most = bytearray(), 0
        for frame in frames(reader, 0):
            if isinstance(frame, bytes):
                received += frame
                time.sleep(0.005)  # this is what makes it slow
                most = max(most, daphne.memory_info().rss)
            else:
                assert frame == {"end": True, "size": len(content), "state": "completed"}
    assert received == content
    assert most - before < 12 * 1024 * 1024


def test_a_server_without_its_database_says_so_and_the_reader_may_come_again(database_address: str, home: Path) -> None:
    hub = LiveHub({**os.environ, "DEBATOMIC_HOME": str(home / "other"), "DATABASE_URL": f"sqlite:///{home}/empty.db",
                   "DEBATOMIC_SECRET_KEY": "x" * 50})  # fmt: skip
    hub.start()
    try:
        with reader_at(hub, running_task(), 0) as reader, pytest.raises(ConnectionClosedError) as closed:
            reader.recv(timeout=20)
    finally:
        hub.kill()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4500


def test_reconnects_lose_and_double_nothing(served: tuple[LiveHub, Task]) -> None:
    hub, task = served
    content = b"".join(pieces(3))
    write(task, content[:1])  # the row; the thread needs no database any more
    writer = threading.Thread(target=_write_on, args=(task.pk, content))
    writer.start()
    received = bytearray()
    connections = 0
    while len(received) < len(content):
        connections += 1
        goal = len(received) + 400_000
        with reader_at(hub, task, len(received)) as reader:
            for frame in frames(reader, len(received)):
                received += frame  # type: ignore[arg-type]
                if len(received) >= min(goal, len(content)):
                    break
    writer.join()
    end(task, State.FAILED)
    with reader_at(hub, task, len(received)) as reader:
        assert json.loads(reader.recv()) == {"end": True, "size": len(content), "state": "failed"}
    assert (received == content, connections >= 5) == (True, True)


def _write_on(task: int, content: bytes) -> None:
    for start in range(1, len(content), 50_000):
        logs.append(task, 1, "build", start, content[start : start + 50_000])


def test_a_killed_server_is_resumed_from_the_offset_of_the_reader(served: tuple[LiveHub, Task]) -> None:
    hub, task = served
    write(task, b"before\n")
    with reader_at(hub, task, 0) as reader:
        assert reader.recv() == b"before\n"
        hub.kill()
        write(task, b"meanwhile\n")
    hub.start()
    with reader_at(hub, task, 7) as reader:
        assert reader.recv() == b"meanwhile\n"
        write(task, b"after\n")
        assert reader.recv() == b"after\n"
        end(task)
        assert json.loads(reader.recv()) == {"end": True, "size": 23, "state": "completed"}
