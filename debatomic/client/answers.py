"""What commands say: JSON for programs, or a text for people."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError, Namespace
from typing import Any


def answer(asked: Namespace, told: Any, text: str) -> None:
    """To standard output."""
    if asked.json:
        print(json.dumps(told, indent=2))
    elif text:
        print(text)


def pair(text: str) -> tuple[str, str]:
    """NAME=VALUE on the command line."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value
