"""What befalls machines. Each does its harm while tasks run, and mends it before it returns."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.chaos.machines import START_SECONDS, WEB_PORTS, Host
from tests.chaos.world import World
from tests.hub.site import kill, wait

AHEAD_SECONDS = 60
LEAP = Path(__file__).parent / "leap"
CUTS = 3  # uploads that break before it is enough

Scenario = Callable[[World], None]


def host_cut_off(world: World) -> None:
    """A host cut off for longer than its lease: others do its tasks, what it still does counts for nothing."""
    host = world.some_host()
    world.say(f"{host.name} is cut off for {world.pace.cut:g} s")
    with world.cut_off(host):
        time.sleep(world.pace.cut)


def host_killed(world: World) -> None:
    """A host without power for a while."""
    host = world.some_host()
    world.say(f"{host.name} loses its power")
    world.power_off(host)
    world.rest(world.pace.lease * 1.5)
    host.start()
    host.until_at_work()


def postgres_restarted(world: World) -> None:
    """PostgreSQL stops without a word to anybody."""
    world.say("PostgreSQL loses its power")
    world.database.stop()
    world.rest(world.pace.outage)
    world.database.start()


def web_killed(world: World) -> None:
    """One of the two web processes is killed; the proxy sends requests to the other."""
    port = world.draw.choice(WEB_PORTS)
    world.say(f"the web process on port {port} is killed")
    world.hub.kill_web(port)
    world.rest(world.pace.outage)
    world.hub.start_web(port)
    wait(lambda: world.network.hub.listens(port), START_SECONDS, world.hub.output)


def reapers_at_once(world: World) -> None:
    """Two more reapers that do nothing but reap, when a host's leases run out."""
    host = world.some_host()
    world.say(f"{host.name} loses its power, and four reapers want its tasks")
    world.power_off(host)
    with reapers(world, 2):
        time.sleep(world.pace.lease * 1.3)
    host.start()
    host.until_at_work()


@contextmanager
def reapers(world: World, number: int) -> Iterator[None]:
    started = [world.hub.spawn("-m", "tests.chaos.reaper") for _ in range(number)]
    try:
        yield
        assert not any(one.poll() for one in started), world.hub.output()
    finally:
        kill(*started)
        for one in started:
            one.wait()
            world.hub.processes.remove(one)


def clock_off(world: World) -> None:
    """A host's clock runs a minute ahead: the hub takes it out of service until it is right again."""
    host = world.some_host()
    world.say(f"{host.name} comes back with its clock {AHEAD_SECONDS} s ahead")
    again_with(world, host, clock_ahead(AHEAD_SECONDS))
    wait(lambda: "clock" in problems(world, host), START_SECONDS, host.output)
    world.say(f"the clock of {host.name} is right again")
    again_with(world, host, {})
    wait(lambda: "clock" not in problems(world, host), START_SECONDS, host.output)


def again_with(world: World, host: Host, environment: dict[str, str]) -> None:
    world.power_off(host)
    host.start(**environment)
    host.until_at_work()


def problems(world: World, host: Host) -> list[str]:
    found: list[str] = world.hub.ask(f"problems({host.name!r})")
    return found


def clock_ahead(seconds: int) -> dict[str, str]:
    """The environment in which programs see another time of day; how long things take stays true."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return {"LD_PRELOAD": str(library), "FAKETIME": f"+{seconds}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": str(LEAP)}  # fmt: skip


def requests_repeated(world: World) -> None:
    """Half of a host's requests reach the hub twice; the host hears one of the answers."""
    harm(world, "repeat", 0.5)


def requests_delayed(world: World) -> None:
    """Some of a host's requests reach the hub seconds later, some after the host gave them up."""
    harm(world, "delay", 0.2)


def requests_late(world: World) -> None:
    """Some of a host's requests fail for the host, which says them again; the first come late."""
    harm(world, "late", 0.4)


def answers_lost(world: World) -> None:
    """Some of a host's requests reach the hub, but the answer is lost."""
    harm(world, "mute", 0.4)


def harm(world: World, kind: str, chance: float) -> None:
    host = world.some_host()
    before = world.gateway.done().get(kind, 0)
    with world.gateway.harm(host.port, kind, chance):
        time.sleep(world.pace.harm)
    done = world.gateway.done().get(kind, 0) - before
    world.say(f"{done} requests of {host.name}: {kind}")


def upload_broken(world: World) -> None:
    """Uploads of a host break in the middle; it sends them again."""
    host = world.some_host()
    before = world.gateway.done().get("cut", 0)
    with world.gateway.harm(host.port, "cut", 0.7):
        wait(lambda: world.gateway.done().get("cut", 0) >= before + CUTS or not world.running(), 10 * START_SECONDS)
    world.say(f"{world.gateway.done().get('cut', 0) - before} uploads of {host.name} broke in the middle")


def idle_worker_killed(world: World) -> None:
    worker_killed(world, "idle")


def busy_worker_killed(world: World) -> None:
    worker_killed(world, "processing")


def worker_killed(world: World, doing: str) -> None:
    host = world.some_host()
    found: list[psutil.Process] = wait(lambda: host.workers(doing), START_SECONDS, host.output)
    victim = world.draw.choice(found)
    world.say(f"a worker of {host.name} that is {doing} is killed")
    kill(victim)


SCENARIOS: tuple[Scenario, ...] = (
    host_cut_off, host_killed, postgres_restarted, web_killed, reapers_at_once, clock_off, requests_repeated,
    requests_delayed, requests_late, answers_lost, upload_broken, idle_worker_killed, busy_worker_killed,
)  # fmt: skip
