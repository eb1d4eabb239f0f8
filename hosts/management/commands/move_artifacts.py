"""`manage.py move_artifacts FOLDER`: bring kept files from another folder into the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from debatomic.tools.errors import ToolError
from hosts.kept import store


class Command(BaseCommand):
    help = "Copy the kept files of a folder into the store that the settings name; can be repeated, removes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="where they lie, as `artifacts` in DEBATOMIC_HOME")

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        if not folder.is_dir():
            raise CommandError(f"There is no folder {folder}.")
        found = sorted(path for path in folder.glob("[0-9a-f][0-9a-f]/*") if store.DIGEST.fullmatch(path.name))
        try:
            moved = [_keep(path) for path in found]
        except ToolError as error:
            raise CommandError(error.sentence) from error
        self.stdout.write(f"{sum(moved)} files of {len(found)} were copied; the others were there.")


def _keep(path: Path) -> bool:
    """Whether it was copied. Raises ToolError for a file whose content is not what its name says."""
    if store.renew(path.name):
        return False
    with path.open("rb") as file:
        store.receive(store.pieces(file), path.name, limit=path.stat().st_size)
    return True
