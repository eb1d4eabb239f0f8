"""One verb of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Verb:
    """A verb: what it takes, what it does, and what it needs around it."""

    name: str
    help: str
    options: Callable[[argparse.ArgumentParser], object]
    run: Callable[[argparse.Namespace], int]  # the exit status
    contained: bool = False  # it mounts: run it as root in namespaces that die with it
    alters: bool = False  # it removes what others of our ids own: without root it is contained, too
    streams: bool = False  # what it prints is data: it gets our own standard streams, and failures go to the third
    trouble: int = 1  # the exit status when the engine could not do it
