"""Which hub, and the key for it: kept in ~/.config/debatomic/account.json, readable by its owner only."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from debatomic.tools.errors import InputError
from debatomic.tools.files import whole


@dataclass(frozen=True)
class Account:
    """A hub's address without a trailing slash, and the API key; no key is a signed-out visitor."""

    address: str
    key: str = ""


def keeper() -> Path:
    config = os.environ.get("XDG_CONFIG_HOME") or ""
    folder = Path(config) if Path(config).is_absolute() else Path.home() / ".config"
    return folder / "debatomic" / "account.json"


def load() -> Account:
    """What `login` kept; DEBATOMIC_HUB and DEBATOMIC_KEY in the environment say otherwise. Raises InputError."""
    kept = _kept()
    address = os.environ.get("DEBATOMIC_HUB", "")
    if address and address_of(address) != kept.address:
        kept = Account(address_of(address))
    key = os.environ.get("DEBATOMIC_KEY", "") or kept.key
    if not kept.address:
        raise InputError("No hub is known yet.", hint="Run `debatomic login ADDRESS` first.")
    return Account(kept.address, key)


def _kept() -> Account:
    try:
        told = json.loads(keeper().read_text())
        return Account(address_of(told["address"]), str(told.get("key", "")))
    except FileNotFoundError:
        return Account("")
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{keeper()} cannot be understood.", hint="Run `debatomic login` again.") from None


def save(account: Account) -> Path:
    """Keep it for the next time; the file is never readable by others, not even for a moment."""
    path = keeper()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with whole(path, mode=0o600) as file:
        file.write(json.dumps(asdict(account), indent=2).encode() + b"\n")
    return path


def address_of(text: str) -> str:
    """An http(s) address without its trailing slash. Raises InputError."""
    address = text.strip()
    if "://" not in address:
        address = f"http://{address}" if _is_local(f"//{address}") else f"https://{address}"
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise InputError(f"{text!r} is no address of a hub.", hint="It looks like https://hub.example.org.")
    return address.rstrip("/")


def _is_local(address: str) -> bool:
    return urlsplit(address).hostname in ("localhost", "127.0.0.1", "::1")


def is_open_to_listeners(address: str) -> bool:
    """Whether a password or key sent there can be read on the way."""
    return urlsplit(address).scheme == "http" and not _is_local(address)
