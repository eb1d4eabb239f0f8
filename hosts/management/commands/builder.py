"""`manage.py builder`: make this machine a builder host."""

from __future__ import annotations

import fcntl
import os
import signal
from argparse import SUPPRESS
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from debatomic.tools.errors import ToolError
from hosts.builder import cluster, machine
from hosts.builder.builder import Builder
from hosts.builder.hubs import connect
from hosts.fleet import joining
from hosts.kept import store


class Command(BaseCommand):
    help = "Claim and run tasks on this machine until stopped. One builder per state folder."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        grace = "how long running tasks may go on after a stop before they are given back (default: 5)"
        parser.add_argument("--grace", type=float, default=5.0, metavar="SECONDS", help=grace)
        parser.add_argument("--register", metavar="TOKEN", help="make this machine a host of the hub, once, and end")
        parser.add_argument("--as-cluster", type=Path, help=SUPPRESS)
        parser.add_argument("--of", type=int, help=SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["as_cluster"]:
            cluster.serve(options["as_cluster"], options["of"])
            return
        try:
            if options["register"]:
                host = joining.join(options["register"])
                self.stdout.write(f"This machine is host {host} of {settings.HUB_ADDRESS}; now start its builder.")
                return
            with only_one():
                if not settings.IS_REMOTE_BUILDER:
                    store.check()
                    machine.register_here()
                builder = Builder(connect(), grace=options["grace"])
                for number in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(number, builder.stop)
                builder.serve()
        except ToolError as error:
            raise CommandError(error.sentence) from error


@contextmanager
def only_one() -> Iterator[None]:
    """Hold this state folder. Raises CommandError where another builder does."""
    path = Path(settings.STATE) / "builder.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise CommandError(
                f"Process {file.read().strip() or '?'} is the builder of {settings.STATE}: stop that first."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
