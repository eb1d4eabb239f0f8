"""That the PostgreSQL part of the checks runs on PostgreSQL."""

import pytest
from django.db import connection


@pytest.mark.postgres
def test_the_database_is_a_postgresql(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT version()")
        assert cursor.fetchone()[0].startswith("PostgreSQL ")
