"""`manage.py invite_host`: a one-time token for a new builder host."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from debatomic.tools.errors import ToolError
from hosts.models import Channel, Registration
from hosts.pages.forms import checked_registration


class Command(BaseCommand):
    help = "Make a one-time token with which a new machine registers: manage.py builder --register TOKEN, over there."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="?", default="", help="the host's name (default: what the machine says)")
        parser.add_argument("--architectures", nargs="+", default=[], metavar="ARCHITECTURE")
        parser.add_argument("--channels", nargs="+", default=[], metavar="CHANNEL")
        parser.add_argument("--labels", nargs="+", default=[], metavar="LABEL")
        parser.add_argument("--capacity", type=float, help="the sum of task weights it runs at once")
        parser.add_argument("--hours", type=float, default=24, help="how long the token is good (default: 24)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            columns = checked_registration(options)
        except ToolError as error:
            raise CommandError(error.sentence) from error
        channels = [Channel.objects.get_or_create(name=name)[0] for name in options["channels"]]
        lasting = timedelta(hours=options["hours"])
        _, token = Registration.objects.issue(by=None, lasting=lasting, channels=channels, **columns)
        self.stderr.write(f"On the new machine, with DEBATOMIC_HUB={settings.PUBLIC_ADDRESS}, once, within "
                          f"{options['hours']:g} hours: manage.py builder --register TOKEN")  # fmt: skip
        self.stdout.write(token)
