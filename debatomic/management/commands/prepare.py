"""`manage.py prepare`: what must be there before a first start: tables, people, targets and definitions."""

from __future__ import annotations

import io
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor

from debatomic.tools.errors import ToolError
from hosts.kept import store


def is_migrated() -> bool:
    """Whether every migration is applied; much faster than `migrate` finding nothing to do."""
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


class Command(BaseCommand):
    help = "Migrate, make the first users and what the definitions name; changes nothing that is there."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
        try:
            migrated = is_migrated()
        except DatabaseError as error:
            told = str(error).splitlines()[0]
            raise CommandError(f"The database is not usable ({told}): check DATABASE_URL and its server.") from error
        if not migrated:
            call_command("migrate", verbosity=0, interactive=False, stdout=self.stdout)
        try:
            store.check()
        except (ToolError, OSError) as error:
            raise CommandError(f"The artifact store is not usable: {error}") from error
        call_command("make_users", stdout=self.stdout)
        call_command("setup", stdout=io.StringIO())  # what it tells is for whoever calls it by hand
