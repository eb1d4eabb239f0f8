"""`manage.py stop`: end what `manage.py run` started for this state folder."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from debatomic.instance import PidFile
from debatomic.tools.errors import ToolError


class Command(BaseCommand):
    help = "End the running web and builder of this state folder."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            stopped = PidFile(settings.HOME / "run.pid").stop()
        except ToolError as error:
            raise CommandError(error.sentence) from error
        self.stdout.write("DebAtomic has ended." if stopped else "DebAtomic is not running.")
