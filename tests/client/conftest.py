"""The command against a hub that listens on a real port."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from debatomic.access import keys
from debatomic.access.models import User
from debatomic.client import account, main


@dataclass
class Said:
    """How a command ended and what it wrote."""

    status: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without an account."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("DEBATOMIC_HUB", "DEBATOMIC_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "config" / "debatomic" / "account.json"


@pytest.fixture
def debatomic(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Run the command with these arguments and what is piped into it."""

    def run(*arguments: object, stdin: str = "") -> Said:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return Said(status, *capsys.readouterr())

    return run


@pytest.fixture
def key_of(users: dict[str, User]) -> Callable[..., str]:
    """An API key of somebody with this role."""

    def make(role: str, *scopes: str) -> str:
        return keys.make(users[role], name="tests", scopes=scopes, lasting=timedelta(days=1))[1]

    return make


@pytest.fixture
def packager(live_server: Any, key_of: Callable[..., str]) -> account.Account:
    """The command is signed in as a packager."""
    made = account.Account(live_server.url, key_of("packager"))
    account.save(made)
    return made


@pytest.fixture
def manager(live_server: Any, key_of: Callable[..., str]) -> account.Account:
    """The command is signed in as a release manager."""
    made = account.Account(live_server.url, key_of("release-manager"))
    account.save(made)
    return made
