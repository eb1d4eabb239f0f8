"""How long a line takes from the worker to a browser's socket: real daphne, real files, N viewers of one log.

    python benchmarks/log_latency.py [--viewers 1 50] [--rate 20] [--seconds 15]

Each line carries the moment it was appended (the machine's monotonic clock, the same in all processes); a viewer
subtracts it from the moment the frame arrived. Results with method: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOME = tempfile.TemporaryDirectory(prefix="log-latency-")
sys.path.insert(0, str(ROOT))
os.environ |= {"DEBATOMIC_HOME": HOME.name, "DATABASE_URL": "", "DJANGO_SETTINGS_MODULE": "debatomic.settings",
               "DEBATOMIC_LOG_LEVEL": "ERROR"}  # fmt: skip

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from websockets.asyncio.client import connect  # noqa: E402
from websockets.typing import Origin  # noqa: E402

from hosts import hub, registry  # noqa: E402
from hosts.live import logs  # noqa: E402
from hosts.models import Channel, Task  # noqa: E402

PADDING = "x" * 90


@contextmanager
def daphne() -> Iterator[int]:
    """A server on a free port, until the block is left."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    args = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "debatomic.asgi:application"]
    with subprocess.Popen(args, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            while not answers(port):
                time.sleep(0.05)
            yield port
        finally:
            process.kill()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def a_task(channel: Channel) -> Task:
    task = hub.submit("benchmark", "log latency", request={}, channel=channel, by=None)
    logs.append(task.pk, 1, "build", 0, b"")
    return task


def write(task: int, rate: float, lines: int) -> None:
    """Append lines at an even rate, each with the moment it was written."""
    offset, begin = 0, time.monotonic()
    for number in range(lines):
        time.sleep(max(0.0, begin + number / rate - time.monotonic()))
        offset = logs.append(task, 1, "build", offset, f"{time.monotonic_ns()} {number} {PADDING}\n".encode())


async def view(port: int, task: int, lines: int) -> list[float]:
    """Follow the log as the browser does; returns the latency of every line in milliseconds."""
    address = f"ws://127.0.0.1:{port}/ws/logs/{task}/1/build/"
    latencies: list[float] = []
    received, rest = 0, b""
    async with connect(address, origin=Origin(f"http://127.0.0.1:{port}"), compression=None) as viewer:
        async for frame in viewer:
            moment = time.monotonic_ns()
            assert isinstance(frame, bytes)
            received += len(frame)
            *whole, rest = (rest + frame).split(b"\n")
            latencies += [(moment - int(line.split()[0])) / 1e6 for line in whole]
            await viewer.send(json.dumps({"at": received}))
            if len(latencies) == lines:
                break
    return latencies


async def measure(port: int, task: int, *, viewers: int, rate: float, lines: int) -> list[float]:
    viewing = [asyncio.create_task(view(port, task, lines)) for _ in range(viewers)]
    await asyncio.sleep(2)  # all are connected
    writer = multiprocessing.get_context("fork").Process(target=write, args=(task, rate, lines))
    writer.start()
    latencies = [each for one in await asyncio.gather(*viewing) for each in one]
    writer.join()
    return latencies


def main() -> None:
    parser = argparse.ArgumentParser(description="Log latency from worker to viewer.")
    parser.add_argument("--viewers", type=int, nargs="+", default=[1, 50])
    parser.add_argument("--rate", type=float, default=20, help="lines per second")
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    lines = int(options.rate * options.seconds)
    registry.register(registry.Method(name="benchmark"))
    with ExitStack() as undo:
        undo.callback(HOME.cleanup)
        call_command("migrate", verbosity=0)
        channel = Channel.objects.get_or_create(name="default")[0]
        port = undo.enter_context(daphne())
        print(f"{lines} lines of {len(PADDING) + 25} bytes, {options.rate:g} per second; load {os.getloadavg()[0]:.1f}")
        for viewers in options.viewers:
            task = a_task(channel).pk
            found = asyncio.run(measure(port, task, viewers=viewers, rate=options.rate, lines=lines))
            cuts = statistics.quantiles(found, n=100)
            print(f"{viewers:4} viewers: p50 {cuts[49]:6.1f} ms   p99 {cuts[98]:6.1f} ms   most {max(found):6.1f} ms")


if __name__ == "__main__":
    main()
