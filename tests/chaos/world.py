"""All of it together, started and undone."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from debatomic.tools.run import run
from scripts import with_postgres
from tests.chaos.machines import FIRST_GATEWAY_PORT, PROXY_PORT, START_SECONDS, WEB_PORTS, Gateway, Host, Hub
from tests.chaos.network import Network, network
from tests.hub.site import wait

LIVE = ("free", "assigned", "running")


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long things take, in seconds."""

    lease: float
    cut: float  # a host is cut off
    away: float  # the hub is not heard by anybody
    outage: float  # at most, of a process that is started again
    harm: float  # requests are harmed
    task: float  # at most
    drain: float  # at most, until all tasks have ended once nothing is harmed


SHORT = Pace(lease=6, cut=9, away=25, outage=2, harm=3, task=6, drain=300)
LONG = Pace(lease=60, cut=120, away=100, outage=20, harm=45, task=90, drain=900)


@dataclass(frozen=True, kw_only=True)
class World:
    """What scenarios act upon."""

    pace: Pace
    draw: random.Random
    network: Network
    database: with_postgres.Server
    hub: Hub
    hosts: dict[str, Host]
    gateway: Gateway
    say: Callable[[str], None]

    def some_host(self) -> Host:
        return self.hosts[self.draw.choice(sorted(self.hosts))]

    @contextmanager
    def cut_off(self, host: Host) -> Iterator[None]:
        self.network.cut(host.name)
        try:
            yield
        finally:
            self.network.mend(host.name)

    def power_off(self, host: Host) -> None:
        with self.cut_off(host):
            host.kill()

    def counts(self) -> dict[str, int]:
        """How many tasks are in which state."""
        found: dict[str, int] = self.hub.ask("counts()")
        return found

    def live(self) -> int:
        return sum(number for state, number in self.counts().items() if state in LIVE)

    def running(self) -> int:
        return self.counts()["running"]

    def outputs(self) -> str:
        """What helps to find out why nothing moves."""
        told = {one.name: one.output() for one in self.hosts.values()}
        return "\n".join(
            [self.hub.ask("why()"), self.hub.output(), *(f"{name}: {text}" for name, text in told.items())]
        )

    def rest(self, most: float) -> None:
        """Wait for some part of so many seconds."""
        time.sleep(self.draw.uniform(0.2, most))


@contextmanager
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="debatomic-chaos-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def remains(home: Path) -> list[str]:
    """What is still there of a world in this folder: network namespaces and processes."""
    listed = run(["ip", "netns", "list"], capture=True).stdout.split()
    spaces = [f"network namespace {name}" for name in listed if name.startswith(f"{space(home)}-")]
    return [
        *spaces,
        *(f"process {one.info['name']} {one.pid}" for one in psutil.process_iter(["name"]) if _belongs(one, home)),
    ]


def _belongs(process: psutil.Process, home: Path) -> bool:
    with suppress(psutil.Error):
        return any(str(home) in text for text in (*process.cmdline(), *process.environ().values()))
    return False


def space(home: Path) -> str:
    """What the names of its network namespaces begin with."""
    return home.name.removeprefix("debatomic-")


@contextmanager
def world(names: Sequence[str], pace: Pace, seed: str, say: Callable[[str], None]) -> Iterator[World]:
    """A hub and these hosts at work, until the block ends; then nothing of them is left."""
    with ExitStack() as undo:
        home = undo.enter_context(folder())
        say(f"all of it is in {home} and in network namespaces {space(home)}-*")
        # a power cut of PostgreSQL must not lose what it said was written
        database = undo.enter_context(with_postgres.running(synchronous_commit="on"))
        lan = undo.enter_context(network(space(home), names))
        hub = Hub(home / "hub", lan.hub, database, pace.lease)
        undo.callback(hub.close)
        say("starting the hub: PostgreSQL, two web processes behind haproxy, two reapers")
        hub.start()
        ports = dict(zip(names, range(FIRST_GATEWAY_PORT, FIRST_GATEWAY_PORT + len(names)), strict=True))
        gateway = Gateway(lan.hub, seed, list(ports.values()))
        hosts = {name: Host(name, home / name, lan.hosts[name], ports[name], pace.lease) for name in names}
        say(f"starting the hosts {', '.join(names)}")
        _begin(lan, hub, hosts)
        yield World(pace=pace, draw=random.Random(seed), network=lan, database=database, hub=hub, hosts=hosts,
                    gateway=gateway, say=say)  # fmt: skip
    assert not (found := remains(home)), f"something is left: {found}"


def _begin(lan: Network, hub: Hub, hosts: dict[str, Host]) -> None:
    wait(lambda: all(lan.hub.listens(port) for port in (PROXY_PORT, *WEB_PORTS)), START_SECONDS, hub.output)
    tokens = {name: hub.invite(name) for name in hosts}
    for name, host in hosts.items():
        host.register(tokens[name])
        host.start()
    for host in hosts.values():
        host.until_at_work()
