"""`manage.py tick`: the reaper alone, for a hub without a builder of its own."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import close_old_connections

from hosts.builder.builder import REAP_SECONDS
from hosts.fleet import tending


class Command(BaseCommand):
    help = (
        "Free tasks whose host is silent, seal logs that ended, remove stored files that nothing names and refresh "
        "chroots when their time has come. "
        "Every builder on the hub's machine does so, too."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="once, then end")

    def handle(self, *args: Any, **options: Any) -> None:
        while True:
            close_old_connections()
            tending.tick()
            if options["once"]:
                return
            time.sleep(REAP_SECONDS)
