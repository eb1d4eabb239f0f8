"""`manage.py setup`: what a new installation starts with; changes nothing that is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from builds.models import Tag, Target
from chroots.editing import facts
from chroots.engine.configuration import definitions
from chroots.engine.spec import ChrootSpec
from chroots.models import Chroot
from composes.defining.definitions import import_folder
from debatomic.tools.errors import ToolError
from hosts.models import Channel

CHROOTS = ("bookworm-amd64", "trixie-amd64")
DEFINITIONS = Path(settings.BASE_DIR) / "composes" / "definitions"


class Command(BaseCommand):
    help = "Make the channel, chroots, target and definitions that come with DebAtomic, where they are missing."

    def add_arguments(self, parser: CommandParser) -> None:
        told = f"the chroots to have, by their definitions (default: {' '.join(CHROOTS)})"
        parser.add_argument("--chroots", nargs="+", default=CHROOTS, metavar="NAME", help=told)

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        channel, _ = Channel.objects.get_or_create(name="default", defaults={"description": "Everything"})
        try:
            chroots = [_chroot(definitions.load(name)) for name in options["chroots"]]
            revisions = import_folder(DEFINITIONS, message="shipped with DebAtomic")
        except ToolError as error:
            raise CommandError(error.sentence) from error
        for suite in sorted({chroot.suite for chroot in chroots}):
            _target(suite, [chroot for chroot in chroots if chroot.suite == suite], channel)
        self.stdout.write(f"{len(chroots)} chroots, {Target.objects.count()} targets, definitions: "
                          f"{', '.join(map(str, revisions))}.")  # fmt: skip


def _chroot(shipped: ChrootSpec) -> Chroot:
    return Chroot.objects.get_or_create(name=shipped.name, defaults=facts(shipped))[0]


def _target(suite: str, chroots: list[Chroot], channel: Channel) -> None:
    tag, _ = Tag.objects.get_or_create(name=suite, defaults={"description": f"Built for {suite}"})
    target, is_new = Target.objects.get_or_create(
        name=suite, defaults={"tag": tag, "channel": channel, "description": f"Debian {suite}"}
    )
    if is_new:
        target.chroots.set(chroots)
