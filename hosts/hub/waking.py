"""What comes to wait wakes the hosts that have nothing to do, where the database carries word; else they soon look."""

from __future__ import annotations

from django.db import transaction

CHANNEL = "debatomic_waiting"


def wake() -> None:
    """Once this transaction is written, tell who listens."""
    connection = transaction.get_connection()
    if connection.vendor != "postgresql":
        return
    if not any(call is _notify for _, call, _ in connection.run_on_commit[-1:]):  # once for many tasks
        transaction.on_commit(_notify, robust=True)


def _notify() -> None:
    with transaction.get_connection().cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}")
