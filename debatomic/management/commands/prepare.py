"""`manage.py prepare`: what must be there before a first start: tables, people, targets and definitions."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor


def is_migrated() -> bool:
    """Whether every migration is applied; much faster than `migrate` finding nothing to do."""
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


class Command(BaseCommand):
    help = "Migrate, make the first users and what the definitions name; changes nothing that is there."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        if not is_migrated():
            call_command("migrate", verbosity=0, interactive=False, stdout=self.stdout)
        call_command("make_users", stdout=self.stdout)
        call_command("setup", stdout=self.stdout)
