"""A hub with a long past: fills an empty PostgreSQL database and measures what hosts and people wait for.

    python scripts/with_postgres.py python -m benchmarks.hub [--finished 1000000] [--waiting 5000] [--hosts 200]

One person waits with all tasks but a hundred, ten others with ten each; every fourth task belongs to a family of two.
Results with method: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import psutil

HOME = tempfile.TemporaryDirectory(prefix="hub-benchmark-")
os.environ |= {"DEBATOMIC_HOME": HOME.name, "DJANGO_SETTINGS_MODULE": "debatomic.settings"}

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from debatomic.access.models import User  # noqa: E402
from hosts import hub, registry  # noqa: E402
from hosts.models import Channel, Host, State, Task  # noqa: E402
from hosts.queue import why  # noqa: E402

PEOPLE = 11
ROUNDS = 30
T = TypeVar("T")
COLUMNS = """method, title, is_parent, architecture, channel_id, weight, priority, public, created_by_id, share,
    request, limits, retries, result, state, attempt, attempts_allowed, reason, kind, decisive, progress, created_at,
    ready_at"""
ROW = """'benchmark', 'package ' || n || ' for trixie, amd64', false, 'amd64', %(channel)s, 1, 20, true,
    {person}, {person}, '{{"source": "figlet"}}', '{{}}', '{{}}', '{{}}', '{state}', {attempt},
    3, '', '', '[]', '{{}}', {at}, {at}"""
FINISHED = f"""INSERT INTO hosts_task ({COLUMNS}, host_id, claimed_at, started_at, finished_at)
    SELECT {
    ROW.format(
        person="%(first)s + n %% %(people)s",
        state="completed",
        attempt=1,
        at="now() - interval '1 minute' * (%(number)s - n + 10)",
    )
},
    %(host)s + n %% %(hosts)s, now() - interval '1 minute' * (%(number)s - n + 9),
    now() - interval '1 minute' * (%(number)s - n + 9), now() - interval '1 minute' * (%(number)s - n + 5)
    FROM generate_series(1, %(number)s) n"""
WAITING = f"""INSERT INTO hosts_task ({COLUMNS})
    SELECT {
    ROW.format(
        person="%(first)s + CASE WHEN n > %(number)s - 100 THEN 1 + n %% 10 ELSE 0 END",
        state="free",
        attempt=0,
        at="now() - interval '1 minute'",
    )
}
    FROM generate_series(1, %(number)s) n"""
PARENTS = """UPDATE hosts_task SET parent_id = id - 1 WHERE id %% 4 = 0 AND state = 'completed'"""
LINKS = """INSERT INTO hosts_task_dependencies (from_task_id, to_task_id)
    SELECT id, id - 1 FROM hosts_task WHERE id %% 4 = 0 AND state = 'completed'"""


def fill(finished: int, waiting: int, hosts: int) -> None:
    """Make the rows: hosts, people, and tasks by one statement of each kind."""
    channel = Channel.objects.get_or_create(name="default")[0]
    people = User.objects.bulk_create([User(username=f"person-{number}") for number in range(PEOPLE)])
    made = Host.objects.bulk_create([
        Host(name=f"host-{number}", architectures=["amd64"], capacity=4, seen_at=timezone.now(),
             report={"slots": 4, "load": [0.5, 0.5, 0.5], "processors": 4})
        for number in range(hosts)
    ])  # fmt: skip
    channel.hosts.add(*made)
    common = {"channel": channel.pk, "first": people[0].pk, "people": PEOPLE, "host": made[0].pk, "hosts": hosts}
    with connection.cursor() as cursor:
        cursor.execute(FINISHED, {**common, "number": finished})
        cursor.execute(PARENTS, [])
        cursor.execute(LINKS, [])
        cursor.execute(WAITING, {**common, "number": waiting})
        cursor.execute("VACUUM ANALYZE")


def busy(hosts: int) -> None:
    """Have half of the hosts run two tasks each."""
    for host in Host.objects.order_by("pk")[: hosts // 2]:
        for _ in range(2):
            task = hub.claim(host)
            assert task is not None and task.claim is not None
            hub.start(task.claim)


class Clock:
    """Milliseconds of the wall, and of the processors that we and our database server used, call by call."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.processors: list[float] = []
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            self._processes = [psutil.Process(), psutil.Process(cursor.fetchone()[0])]

    def _used(self) -> float:
        times = [process.cpu_times() for process in self._processes]
        return sum(time.user + time.system for time in times) * 1000

    def call(self, act: Callable[[], T]) -> T:
        began, used = time.perf_counter(), self._used()
        answer = act()
        self.wall.append((time.perf_counter() - began) * 1000)
        self.processors.append(self._used() - used)
        return answer

    def row(self, name: str) -> str:
        mean = statistics.mean(self.processors)
        return f"| {name} | {statistics.median(self.wall):.1f} | {min(self.wall):.1f} | {mean:.1f} |"


def claims(host: Host) -> str:
    """One host claims again and again; what it got is finished between."""
    clock = Clock()
    for _ in range(ROUNDS):
        task = clock.call(lambda: hub.claim(host, slots=4))
        assert task is not None and task.claim is not None and hub.start(task.claim) and hub.finish(task.claim, {})
    return clock.row("claim")


def fresh_claims(host: Host) -> str:
    """As `claims`, each of a task that was submitted just now and is more urgent: the ranking of hosts decides."""
    clock = Clock()
    channel = Channel.objects.get(name="default")
    for _ in range(ROUNDS):
        hub.submit("benchmark", "fresh", request={}, channel=channel, by=None, priority=1, architecture="amd64")
        task = clock.call(lambda: hub.claim(host, slots=4))
        Task.objects.filter(priority=1, state=State.FREE).delete()
        if task is not None and task.claim is not None:
            hub.start(task.claim)
            hub.finish(task.claim, {})
    return clock.row("claim while a fresh task is left to another of 200 hosts")


def repeated(name: str, act: Callable[[], object]) -> str:
    clock = Clock()
    for _ in range(ROUNDS):
        clock.call(act)
    return clock.row(name)


def measure(idle: Host, elsewhere: Host) -> Iterator[str]:
    """The table, row by row."""
    last = Task.objects.waiting().order_by("-pk").select_related("channel")[0]
    yield claims(idle)
    yield fresh_claims(idle)
    yield repeated("idle poll: nothing for this host", lambda: hub.claim(elsewhere))
    yield repeated("why a task waits, with its place", lambda: why.why_waiting(last))


def main() -> None:
    parser = argparse.ArgumentParser(description="Milliseconds of a hub with a long past, on PostgreSQL.")
    parser.add_argument("--finished", type=int, default=1_000_000)
    parser.add_argument("--waiting", type=int, default=5_000)
    parser.add_argument("--hosts", type=int, default=200)
    options = parser.parse_args()
    if connection.vendor != "postgresql":
        raise SystemExit("This wants an empty PostgreSQL database: run it with scripts/with_postgres.py.")
    call_command("migrate", verbosity=0)
    registry.register(registry.Method(name="benchmark"))
    began = time.perf_counter()
    fill(options.finished, options.waiting, options.hosts)
    elsewhere = Host.objects.create(name="elsewhere", architectures=["riscv64"], seen_at=timezone.now())
    elsewhere.channels.add(Channel.objects.get(name="default"))
    busy(options.hosts)
    print(
        f"{options.finished} finished and {options.waiting} waiting tasks, {options.hosts} hosts: made in "
        f"{time.perf_counter() - began:.0f} s\n"
    )
    print("| what | median ms | least ms | processor ms |\n|---|---|---|---|", flush=True)
    idle = Host.objects.get(name=f"host-{options.hosts - 1}")
    for line in measure(idle, elsewhere):
        print(line, flush=True)


if __name__ == "__main__":
    main()
