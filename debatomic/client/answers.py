"""What commands say: JSON for programs, or a text for people."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError, Namespace
from typing import Any

from debatomic.client import tables
from debatomic.client.screen import harmless


def answer(asked: Namespace, told: Any, text: str) -> None:
    """To standard output."""
    if asked.json:
        print(json.dumps(told, indent=2))
    elif text:
        print(text)


def facts(told: dict[str, Any], names: tuple[str, ...]) -> list[str]:
    """A line for each of these that has a value."""
    width = max(map(len, names)) + 1
    cells = ((name.replace("_", " ") + ":", tables.cell(told[name])) for name in names if told[name] not in ("", []))
    return [f"{name.ljust(width)} {harmless(cell, colours=False)}" for name, cell in cells]


def pair(text: str) -> tuple[str, str]:
    """NAME=VALUE on the command line."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value
