"""`manage.py make_users`: one administrator and one user per role, for a first look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from debatomic.access import people, roles
from debatomic.access.models import User
from debatomic.tools.files import whole

NAMES = {
    "admin": roles.ADMINISTRATOR,
    "viewer": roles.VIEWER,
    "packager": roles.PACKAGER,
    "release-manager": roles.RELEASE_MANAGER,
    "administrator": roles.ADMINISTRATOR,
}


class Command(BaseCommand):
    help = (
        "Make an administrator (admin) and an example user of every role, with generated passwords, which are printed "
        "and kept in HOME/sign-ins (readable by its owner only). Whoever exists is never changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--show", action="store_true", help="list those who were there before, too")

    def handle(self, *args: Any, **options: Any) -> None:
        keeper = settings.HOME / "sign-ins"
        kept = _read(keeper)
        made = [name for name in NAMES if self._make(name, kept, keeper)]
        for name in NAMES if options["show"] else made:
            password = kept.get(name, "(password not kept)")
            self.stdout.write(f"{name:16} {password:22} {roles.TITLES[NAMES[name]]}")
        if made:
            self.stdout.write(f"These sign-ins are kept in {keeper}")

    def _make(self, name: str, kept: dict[str, str], keeper: Path) -> bool:
        """Whether this person is new; the password is kept before the next one is made, so none is ever lost."""
        if User.objects.filter(username=name).exists():
            return False
        with transaction.atomic():
            _, kept[name] = people.create(name, held=[NAMES[name]], by=None)
            _write(keeper, kept)
        return True


def _read(keeper: Path) -> dict[str, str]:
    if not keeper.exists():
        return {}
    lines = (line.split() for line in keeper.read_text().splitlines())
    return {words[0]: words[1] for words in lines if len(words) == 2}


def _write(keeper: Path, kept: dict[str, str]) -> None:
    with whole(keeper, mode=0o600) as file:
        file.write("".join(f"{name} {password}\n" for name, password in kept.items()).encode())
