"""What hosts wait for, on a hub with a long past: claims, polls, and the sentence why a task waits.

    python scripts/with_postgres.py python -m benchmarks.hub [--finished 1000000] [--waiting 5000] [--hosts 200]

The rows are those of benchmarks/past.py; a database that has them already is used as it is. Results with method:
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable

HOME = tempfile.TemporaryDirectory(prefix="hub-benchmark-")
os.environ.setdefault("DEBATOMIC_HOME", HOME.name)
os.environ["DJANGO_SETTINGS_MODULE"] = "debatomic.settings"

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks import past  # noqa: E402
from benchmarks.clock import HEAD, Clock  # noqa: E402
from hosts import hub, registry  # noqa: E402
from hosts.fleet import statistics  # noqa: E402
from hosts.kept import events  # noqa: E402
from hosts.live import event_feed  # noqa: E402
from hosts.models import Channel, Host, State, Task  # noqa: E402
from hosts.queue import why  # noqa: E402

ELSEWHERE = "elsewhere"


def size_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--finished", type=int, default=1_000_000)
    parser.add_argument("--waiting", type=int, default=5_000)
    parser.add_argument("--hosts", type=int, default=200)


def prepare(options: argparse.Namespace) -> None:
    """Migrate, fill an empty database, and have all hosts be alive."""
    if connection.vendor != "postgresql":
        raise SystemExit("This wants a PostgreSQL database: run it with scripts/with_postgres.py.")
    call_command("migrate", verbosity=0)
    registry.register(registry.Method(name="benchmark"))
    if not Host.objects.exists():
        began = time.perf_counter()
        past.fill(past.Size(finished=options.finished, waiting=options.waiting, hosts=options.hosts))
        elsewhere = Host.objects.create(name=ELSEWHERE, architectures=["riscv64"])
        elsewhere.channels.add(Channel.objects.get(name="default"))
        busy(options.hosts)
        print(f"Filled in {time.perf_counter() - began:.0f} s.\n")
    Host.objects.update(seen_at=timezone.now())


def busy(hosts: int) -> None:
    """Have half of the hosts run two tasks each."""
    for host in Host.objects.order_by("pk")[: hosts // 2]:
        for _ in range(2):
            task = hub.claim(host)
            assert task is not None and task.claim is not None
            hub.start(task.claim)


class Idle:
    """A host that claims again and again; what it got is finished between."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.claims, self.starts, self.finishes, self.fresh = Clock(), Clock(), Clock(), Clock()

    def turn(self) -> None:
        task = self.claims.call(lambda: hub.claim(self.host, slots=4))
        assert task is not None and task.claim is not None
        claim = task.claim
        self.starts.call(lambda: hub.start(claim))
        self.finishes.call(lambda: hub.finish(claim, {}))

    def fresh_turn(self) -> None:
        """A more urgent task was submitted just now: the ranking of hosts decides."""
        channel = Channel.objects.get(name="default")
        hub.submit("benchmark", "fresh", request={}, channel=channel, by=None, priority=1, architecture="amd64")
        task = self.fresh.call(lambda: hub.claim(self.host, slots=4))
        Task.objects.filter(priority=1, state=State.FREE).delete()
        if task is not None and task.claim is not None:
            hub.start(task.claim)
            hub.finish(task.claim, {})


def measure(rounds: int, hosts: int) -> list[str]:
    """The table, row by row; all take turns."""
    idle, elsewhere = Idle(Host.objects.get(name=f"host-{hosts - 1}")), Host.objects.get(name=ELSEWHERE)
    last = Task.objects.waiting().order_by("-pk").select_related("channel")[0]
    others: dict[str, Callable[[], object]] = {
        "idle poll: nothing for this host": lambda: hub.claim(elsewhere),
        "why a task waits, with its place": lambda: why.why_waiting(last),
        "a host's report": lambda: hub.report(elsewhere, {"slots": 4}),
        "statistics of a year by package": lambda: statistics.by_name("package", 365, 50),
        "events of the last seconds": lambda: event_feed.look(set()),
        "a batch of old events removed": events.forget,
    }
    clocks = {name: Clock() for name in others}
    for _ in range(rounds):
        idle.turn()
        idle.fresh_turn()
        for name, act in others.items():
            clocks[name].call(act)
    return [
        idle.claims.row("claim"), idle.fresh.row(f"claim while a fresh task is left to another of {hosts} hosts"),
        idle.starts.row("start"), idle.finishes.row("finish"),
        *(clock.row(name) for name, clock in clocks.items()),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Milliseconds of a hub with a long past, on PostgreSQL.")
    size_options(parser)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    prepare(options)
    print(HEAD, *measure(options.rounds, options.hosts), sep="\n", flush=True)


if __name__ == "__main__":
    main()
