"""Tasks that run and end, what workers write, and daphne as operators run it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import uuid
from datetime import timedelta
from pathlib import Path

from django.utils import timezone

from hosts.live import logs
from hosts.models import Channel, Host, State, Task

ROOT = Path(__file__).resolve().parents[2]


def running_task(*, attempt: int = 1, public: bool = True) -> Task:
    """A task in the middle of an attempt."""
    channel = Channel.objects.get_or_create(name="default")[0]
    host = Host.objects.get_or_create(name="builder-1", defaults={"architectures": ["amd64"]})[0]
    return Task.objects.create(
        method="work", title="figlet for trixie, amd64", channel=channel, public=public, state=State.RUNNING, host=host,
        attempt=attempt, claim=uuid.uuid4(), lease_ends_at=timezone.now() + timedelta(hours=1),
    )  # fmt: skip


def end(task: Task, state: State = State.COMPLETED) -> None:
    Task.objects.filter(pk=task.pk).update(state=state, claim=None, lease_ends_at=None)


def write(task: Task, data: bytes, *, attempt: int = 1, name: str = "build") -> None:
    """Append as a worker does, in pieces of at most 1 MiB."""
    offset = logs.size(task.pk, attempt, name)
    for start in range(0, len(data), 1 << 20):
        offset = logs.append(task.pk, attempt, name, offset, data[start : start + (1 << 20)])


class LiveHub:
    """daphne as operators run it, on a port of its own."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.sockets = f"ws://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port), "debatomic.asgi:application"],
            cwd=ROOT, env=self._environment, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None, "daphne ended at once"
            assert time.monotonic() < deadline, "daphne does not answer"
            time.sleep(0.05)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
