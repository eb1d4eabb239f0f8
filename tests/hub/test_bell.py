"""What ends a pause of the claimer early: a free worker, and word of new work where the database carries it."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, connections, transaction

from hosts.builder import bell


@pytest.fixture
def hung(monkeypatch: Any) -> Iterator[None]:
    monkeypatch.setattr(bell, "_free", None)
    monkeypatch.setattr(bell, "_listening", None)
    bell.hang()
    yield
    assert bell._free is not None
    os.close(bell._free)


def paused(seconds: float, word: int | None = None) -> float:
    began = time.monotonic()
    bell.pause(seconds, word)
    return time.monotonic() - began


def test_a_worker_that_came_free_ends_one_pause(hung: None) -> None:
    bell.ring()
    bell.ring()
    assert paused(30) < 15
    assert paused(0.1) >= 0.1


def test_without_a_bell_a_pause_lasts(monkeypatch: Any) -> None:
    monkeypatch.setattr(bell, "_free", None)
    bell.ring()
    assert paused(0.1) >= 0.1


def test_word_of_new_work_comes_where_the_database_carries_it(make: Any, transactional_db: None, hung: None) -> None:
    word = bell.listen()
    assert (word is not None) == (connection.vendor == "postgresql")
    if word is None:
        return

    def submit() -> None:
        with transaction.atomic():
            make()
            make()
        connections.close_all()

    elsewhere = threading.Thread(target=submit)
    elsewhere.start()
    elsewhere.join()
    assert paused(30, word) < 15
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")  # takes it in, and rings
    assert bell.listen() == word
    assert not select.select([word], [], [], 0)[0]
    assert paused(30, word) < 15
