"""The tick: each of its parts alone may stumble."""

from __future__ import annotations

import logging

import pytest
from django.db import OperationalError

from hosts import registry
from hosts.fleet import tending

pytestmark = pytest.mark.django_db


def test_one_part_that_stumbles_keeps_no_other_from_its_turn(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []

    def stumbles() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(registry, "_rounds", [stumbles, lambda: done.append("round")])
    monkeypatch.setattr(tending, "FIRST", (stumbles, lambda: done.append("first")))
    monkeypatch.setattr(tending, "LATER", (lambda: done.append("later"),))
    tending.tick()
    assert done == ["first", "round", "later"]
    assert [record.getMessage().endswith("stumbles stumbled") for record in caplog.records] == [True, True]


def test_a_database_that_is_away_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(registry, "_rounds", [away, away])
    with caplog.at_level(logging.ERROR):
        tending.tick()
    assert [record.getMessage() for record in caplog.records] == [
        "The database does not answer; the next tick comes soon: connection refused"
    ]
