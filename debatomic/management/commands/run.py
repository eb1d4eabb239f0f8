"""`manage.py run`: web and one builder on this machine, kept running until it is told to end."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from debatomic.instance import PidFile, listen
from debatomic.supervisor import Program, supervise
from debatomic.tools.errors import ToolError

MANAGE = Path(settings.BASE_DIR) / "manage.py"


def web(listening: socket.socket) -> Program:
    """Daphne on a socket that stays open while daphne starts again: a visitor waits instead of being refused."""
    where = ["--fd", str(listening.fileno())]
    if listening.family == socket.AF_INET6:  # daphne takes only IPv4 sockets
        listening.close()
        where = ["-b", settings.BIND, "-p", str(settings.PORT)]
    return Program(
        name="web",
        args=(sys.executable, "-m", "daphne", "-v", "0", *where, "debatomic.asgi:application"),
        pass_fds=() if listening.fileno() < 0 else (listening.fileno(),),
        end_signal="KILL",
    )


def builder() -> Program:
    return Program(name="builder", args=(sys.executable, str(MANAGE), "builder"))


class Command(BaseCommand):
    help = "Run web and one builder until SIGTERM or Ctrl-C."
    requires_system_checks = ()

    def say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.IS_REMOTE_BUILDER:
            raise CommandError("DEBATOMIC_HUB is set, so this is a builder host: start it with `manage.py builder`.")
        try:
            with PidFile(settings.HOME / "run.pid").held():
                self.run()
        except ToolError as error:
            raise CommandError(error.sentence) from error

    def run(self) -> None:
        with listen(settings.BIND, settings.PORT) as listening:
            call_command("prepare", stdout=self.stdout)
            self.say(f"DebAtomic is at {settings.PUBLIC_ADDRESS}/ (Ctrl-C ends it)")
            supervise([web(listening), builder()], say=self.say)
        self.say("DebAtomic has ended.")
