"""Signing in: with a password, with a key, and what is kept."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from debatomic.access.models import ApiKey, User
from debatomic.client import account
from debatomic.tools.errors import InputError

PASSWORD = "a long enough password"


def test_a_password_makes_a_key_that_is_kept_for_its_owner_only(
    debatomic: Callable[..., Any], live_server: Any, users: dict[str, User], config: Path
) -> None:
    said = debatomic("login", live_server.url, "--user", "packager", "--days", 7, stdin=PASSWORD + "\n")
    assert (said.status, "as packager (packager)" in said.err) == (0, True)
    kept = json.loads(config.read_text())
    assert kept["address"] == live_server.url and kept["key"].startswith("da_")
    assert stat.S_IMODE(config.stat().st_mode) == 0o600 and stat.S_IMODE(config.parent.stat().st_mode) == 0o700
    key = ApiKey.objects.get(user=users["packager"])
    assert key.expiry is not None and (key.expiry - key.created).days in (6, 7)
    assert debatomic("list", "builds").status == 0


def test_a_pasted_key_is_tried_before_it_is_kept(
    debatomic: Callable[..., Any], live_server: Any, key_of: Callable[..., str], config: Path
) -> None:
    wrong = debatomic("login", live_server.url, "--key", stdin="da_wrong\n")
    assert wrong.status == 1 and "not valid" in wrong.err and not config.exists()
    right = debatomic("login", live_server.url, "--key", stdin=key_of("viewer") + "\n")
    assert right.status == 0 and "as viewer" in right.err and config.exists()


def test_a_wrong_password_keeps_nothing(
    debatomic: Callable[..., Any], live_server: Any, users: dict[str, User], config: Path
) -> None:
    said = debatomic("login", live_server.url, "--user", "packager", stdin="wrong\n")
    assert said.status == 1 and "The name or the password is wrong." in said.err
    assert not config.exists() and not ApiKey.objects.exists()


def test_without_login_it_says_what_to_do(debatomic: Callable[..., Any]) -> None:
    said = debatomic("list", "builds")
    assert said.status == 1 and "debatomic login" in said.err


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("hub.example.org", "https://hub.example.org"),
        ("http://hub.example.org:8000/", "http://hub.example.org:8000"),
        ("localhost:8000", "http://localhost:8000"),
        (" https://hub.example.org/deb/ ", "https://hub.example.org/deb"),
    ],
)
def test_addresses_are_understood(given: str, address: str) -> None:
    assert account.address_of(given) == address


@pytest.mark.parametrize("given", ["ftp://hub.example.org", "https://", "https://hub.example.org/?a=b"])
def test_other_addresses_are_refused(given: str) -> None:
    with pytest.raises(InputError, match="is no address of a hub"):
        account.address_of(given)


def test_only_plain_http_to_elsewhere_is_warned_of() -> None:
    assert account.is_open_to_listeners("http://hub.example.org")
    assert not account.is_open_to_listeners("http://127.0.0.1:8000")
    assert not account.is_open_to_listeners("https://hub.example.org")


def test_the_environment_comes_before_what_is_kept(
    debatomic: Callable[..., Any], packager: account.Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBATOMIC_HUB", "https://other.example.org")
    assert account.load() == account.Account("https://other.example.org", ""), "a key goes to its own hub only"
    monkeypatch.setenv("DEBATOMIC_HUB", packager.address)
    assert account.load() == packager


def test_a_damaged_account_is_told(debatomic: Callable[..., Any], config: Path) -> None:
    config.parent.mkdir(parents=True)
    config.write_text("{")
    said = debatomic("list", "builds")
    assert said.status == 1 and "cannot be understood. Run `debatomic login` again." in said.err
