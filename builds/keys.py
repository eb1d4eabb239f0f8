"""The public keys that sign what is published: written by the hub's builder, read by everybody."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from django.conf import settings

from chroots.engine.archives import openpgp
from debatomic.tools.errors import InputError

NAME = "keys.asc"  # beside the repository: /ostree/keys.asc


def path() -> Path:
    return Path(settings.OSTREE) / NAME


def public_keys() -> str:
    """ASCII-armoured; empty before the hub's builder has made the first key."""
    try:
        return path().read_text()
    except FileNotFoundError:
        return ""


def fingerprints() -> list[str]:
    """Of the keys that are published."""
    return _fingerprints(public_keys())


@lru_cache(maxsize=8)
def _fingerprints(text: str) -> list[str]:
    try:
        return openpgp.fingerprints(openpgp.binary(text.encode(), NAME)) if text else []
    except InputError:
        return []
