"""Rounds: every scenario once, in an order that is drawn, with tasks at work all the time; then the verdict."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from tests.chaos.machines import START_SECONDS
from tests.chaos.scenarios import Scenario
from tests.chaos.world import World
from tests.hub.site import wait

TASKS = 20  # that wait or run when a scenario begins


class Broken(Exception):
    """What was lost, doubled or mixed up."""


def play(world: World, scenarios: Sequence[Scenario], until: float) -> None:
    """Rounds until it is that late (time.monotonic), at least one. Raises Broken, AssertionError."""
    done: Counter[str] = Counter()
    while True:
        for scenario in world.draw.sample(scenarios, len(scenarios)):
            submit(world)
            scenario(world)
            done[scenario.__name__] += 1
            tell(world)
        drain(world)
        if found := [*world.hub.ask("verdict.broken()"), *left(world)]:
            raise Broken("\n  ".join(found))
        world.say(f"the round is over: {sum(done.values())} scenarios so far, nothing is lost")
        if time.monotonic() >= until:
            return


def submit(world: World) -> None:
    """Have `TASKS` tasks that have not ended, some of which run."""
    world.hub.ask(f"submit({TASKS - world.live()}, {world.draw.random()!r}, {world.pace.task})")
    wait(world.running, START_SECONDS + world.pace.lease, world.hub.output)


def tell(world: World) -> None:
    counts = ", ".join(f"{number} {state}" for state, number in world.counts().items())
    world.say(f"    {counts}; {world.hub.ask('lost()')} attempts were lost so far")


def drain(world: World) -> None:
    """Wait until all have ended. Raises AssertionError when they do not."""
    world.say("nothing is harmed any more; the last tasks end")
    wait(lambda: not world.live(), world.pace.drain, lambda: f"{world.counts()}\n{world.hub.output()}")


def left(world: World) -> list[str]:
    """What ended attempts left on the hosts: they have a moment to clean up."""
    until = time.monotonic() + START_SECONDS
    while (found := [f"{host.name} still has {path}" for host in world.hosts.values() for path in host.left()]) and (
        time.monotonic() < until
    ):
        time.sleep(0.2)
    return found
