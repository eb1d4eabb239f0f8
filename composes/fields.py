"""A column of JSON that keeps the order of its keys, which PostgreSQL's JSONB does not."""

from __future__ import annotations

from typing import Any

from django.db import models


class OrderedMapping(models.JSONField):
    """A dict, kept as a list of its pairs."""

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        pairs = [list(pair) for pair in value.items()] if isinstance(value, dict) else value
        return super().get_db_prep_value(pairs, connection, prepared)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        pairs = super().from_db_value(value, expression, connection)
        return dict(pairs) if isinstance(pairs, list) else pairs
