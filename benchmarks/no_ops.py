"""Tasks that do nothing, through a real builder: how soon one is done, how many a second, and what an idle hub takes.

    python scripts/with_postgres.py python -m benchmarks.no_ops [--tasks 5000] [--slots 8]

One builder with its django-q cluster and a web process run on this machine, as under systemd. Every task starts the
program `true` in namespaces of its own. Results: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

HOME = tempfile.TemporaryDirectory(prefix="no-ops-")
os.environ |= {
    "DEBATOMIC_HOME": HOME.name, "DJANGO_SETTINGS_MODULE": "benchmarks.nothing.settings", "DEBATOMIC_HOST_NAME": "here",
    "DEBATOMIC_LOG_LEVEL": "WARNING", "DEBATOMIC_EXAMINE_SECONDS": "0",
}  # fmt: skip

import django  # noqa: E402

django.setup()

import psutil  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import transaction  # noqa: E402

from benchmarks.clock import server_process  # noqa: E402
from hosts import hub  # noqa: E402
from hosts.models import Channel, Host, State, Task  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 600


@contextmanager
def running(*args: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program of ours in the background, ended with all it started."""
    child = subprocess.Popen([sys.executable, *args], cwd=ROOT, env=os.environ | variables, start_new_session=True)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(60)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def submit(number: int) -> list[int]:
    """Make the tasks in one transaction; their ids."""
    channel = Channel.objects.get_or_create(name="default")[0]
    with transaction.atomic():
        return [hub.submit("no-op", f"no-op {one}", request={}, channel=channel, by=None).pk for one in range(number)]


def wait_for(done: str, ids: Sequence[int], pause: float) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while Task.objects.filter(pk__gte=ids[0], pk__lte=ids[-1]).exclude(state=done).exists():
        if time.monotonic() > until:
            raise SystemExit(f"Not all tasks were {done} within {PATIENCE_SECONDS} s.")
        time.sleep(pause)


def wait_for_host() -> None:
    until = time.monotonic() + 120
    while not Host.objects.alive().filter(name="here").exists() or not list(Path(HOME.name).rglob("workers/*")):
        if time.monotonic() > until:
            raise SystemExit("The builder did not come.")
        time.sleep(0.2)


def seconds(begin: datetime, end: datetime | None) -> float:
    assert end is not None
    return (end - begin).total_seconds()


def latencies(number: int) -> tuple[list[float], list[float]]:
    """From submit to running and to completed, one task after the other."""
    ids = []
    for _ in range(number):
        ids += submit(1)
        wait_for(State.COMPLETED, ids[-1:], 0.05)
        time.sleep(0.1 + len(ids) % 7 / 20)  # at any point of the builder's pause
    rows = Task.objects.filter(pk__in=ids).values_list("created_at", "started_at", "finished_at")
    return [seconds(row[0], row[1]) for row in rows], [seconds(row[0], row[2]) for row in rows]


def share(values: Sequence[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def rate(number: int, processes: Sequence[psutil.Process]) -> tuple[float, float]:
    """Tasks a second from the first start to the last end, and what each took of the processors, milliseconds."""
    ids = submit(number)
    before = processor_seconds(processes)
    wait_for(State.COMPLETED, ids, 1.0)
    used = processor_seconds(processes) - before
    rows = list(Task.objects.filter(pk__in=ids).values_list("started_at", "finished_at"))
    first, last = min(row[0] for row in rows if row[0]), max(row[1] for row in rows if row[1])
    return number / seconds(first, last), used / number * 1000


def family(processes: Sequence[psutil.Process]) -> set[psutil.Process]:
    return {child for process in processes for child in [process, *process.children(recursive=True)]}


def processor_seconds(processes: Sequence[psutil.Process]) -> float:
    """Of these, all beneath them, and what of that has ended."""
    total = 0.0
    for process in family(processes):
        with suppress(psutil.Error):
            total += sum(process.cpu_times()[:4])  # its own, and of the children it waited for
    return total


def database_server() -> psutil.Process:
    """The server's first process."""
    parent = psutil.Process(server_process()).parent()
    assert parent is not None
    return parent


def memory(processes: Sequence[psutil.Process]) -> float:
    """MiB that these and their descendants take: the sum of their PSS, in which shared pages count once."""
    rollups = [Path(f"/proc/{process.pid}/smaps_rollup").read_text() for process in family(processes)]
    lines = [line for text in rollups for line in text.splitlines() if line.startswith("Pss:")]
    return sum(int(line.split()[1]) for line in lines) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast nothing is done.")
    parser.add_argument("--tasks", type=int, default=5000)
    parser.add_argument("--singles", type=int, default=60)
    parser.add_argument("--slots", default="8")
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    port = free_port()
    daphne = ("-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "debatomic.asgi:application")
    with running(*daphne) as web, running("manage.py", "builder", DEBATOMIC_CAPACITY=options.slots) as builder:
        wait_for_host()
        time.sleep(5)
        subprocess.run(["curl", "-s", "-o", os.devnull, f"http://127.0.0.1:{port}/"], check=True)
        time.sleep(1)
        idle = memory([psutil.Process(web.pid), psutil.Process(builder.pid)])
        print(f"| idle web and builder with {options.slots} slots, MiB (PSS) | {idle:.0f} |", flush=True)
        to_running, to_completed = latencies(options.singles)
        for name, values in (("running", to_running), ("completed", to_completed)):
            p50, p95 = statistics.median(values), share(values, 95)
            print(f"| submit to {name}, s: p50, p95 | {p50:.2f}, {p95:.2f} |", flush=True)
        found, used = rate(options.tasks, [psutil.Process(builder.pid), database_server()])
        print(f"| {options.tasks} no-ops: a second | {found:.0f} |")
        print(f"| processor ms of each, builder and database | {used:.1f} |")


if __name__ == "__main__":
    main()
