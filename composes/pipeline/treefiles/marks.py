"""Treefiles read: YAML or JSON whose texts remember where they were written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from debatomic.tools.errors import InputError
from debatomic.tools.yaml_texts import Text, parse, place_of, prefix

__all__ = ["Text", "load", "parse", "place_of", "prefix", "read"]

MAX_BYTES = 1 << 20


def load(path: Path, shown: str = "") -> Any:
    """The content of a YAML file: dicts, lists, numbers, booleans, and every key and string as `Text`.

    `shown` is the file's name in messages. Raises InputError naming file and line.
    """
    shown = shown or path.name
    text = read(path, shown)
    if path.suffix == ".json":
        text = text.replace("\t", " ")  # which JSON indents with, and YAML does not
    return parse(text, shown)


def read(path: Path, shown: str) -> str:
    """The text of a file, at most 1 MiB of it. Raises InputError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError(f"There is no file {shown}.") from error
    if len(content) > MAX_BYTES:
        raise InputError(f"{shown} is larger than 1 MiB, which no treefile is.")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(f"{shown}:{line}: this is not UTF-8 text.") from error
