"""Harm a hub and its hosts for a while, and look whether anything was lost: `make chaos`.

Everything is its own (network namespaces, PostgreSQL, processes, folders) and gone at the end. Status 0: nothing was
lost; 1: something was, and the seed that found it; 130: interrupted.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from collections.abc import Sequence

from debatomic.tools.errors import ToolError
from tests.chaos.play import Broken, play
from tests.chaos.scenarios import SCENARIOS, Scenario
from tests.chaos.world import LONG, SHORT, world

HOSTS = ("ant", "bee", "cat")


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    names = {one.__name__: one for one in SCENARIOS}
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__.split("\n\n")[0])
    parser.add_argument("--seed", default=str(random.randrange(10**6)), help="draws the same order and victims again")
    parser.add_argument("--minutes", type=float, default=60, help="begin no round after so long (default: 60)")
    parser.add_argument("--short", action="store_true", help="one round with leases of seconds")
    parser.add_argument("--only", nargs="+", choices=names, metavar="SCENARIO", help=f"some of: {', '.join(names)}")
    told = parser.parse_args(given)
    told.scenarios = [names[name] for name in told.only or names]
    return told


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def main(seed: str, minutes: float, short: bool, scenarios: Sequence[Scenario]) -> int:
    say(f"chaos with seed {seed}")
    until = time.monotonic() + (0 if short else minutes * 60)
    try:
        with world(HOSTS, SHORT if short else LONG, seed, say) as here:
            play(here, scenarios, until)
    except (Broken, ToolError, AssertionError) as error:
        say(f"BROKEN with seed {seed}: {error}")
        return 1
    except KeyboardInterrupt:
        say(f"interrupted; the seed was {seed}")
        return 130
    say(f"nothing was lost; the seed was {seed}")
    return 0


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    told = arguments()
    sys.exit(main(told.seed, told.minutes, told.short, told.scenarios))
