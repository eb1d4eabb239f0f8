"""`manage.py add_host`: let another machine work for this hub."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from hosts.builder.machine import DEFAULT_CHANNEL
from hosts.models import Channel, Host


class Command(BaseCommand):
    help = "Make a builder host known, or give it a new token. Prints the token, which is shown only this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--architectures", nargs="+", default=["amd64"], metavar="ARCHITECTURE")
        parser.add_argument("--channels", nargs="+", default=[DEFAULT_CHANNEL], metavar="CHANNEL")
        parser.add_argument("--capacity", type=float, default=2.0, help="the sum of task weights it runs at once")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        if options["capacity"] <= 0:
            raise CommandError("The capacity must be more than 0.")
        if Host.objects.filter(name=options["name"], is_hub=True).exists():
            raise CommandError(f"{options['name']} is the hub's own machine: its builder needs no token.")
        columns = {"architectures": options["architectures"], "capacity": options["capacity"]}
        host, _ = Host.objects.update_or_create(name=options["name"], defaults=columns)
        host.channels.set([Channel.objects.get_or_create(name=name)[0] for name in options["channels"]])
        self.stdout.write(host.new_token())
