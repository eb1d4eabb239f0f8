"""YAML whose texts remember where they were written, so that a message can name file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from debatomic.tools import yaml_nodes
from debatomic.tools.errors import InputError

MAX_BYTES = 1 << 20
TEXT_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:timestamp")


class Text(str):
    """A string with the `place` it stands at, as `file:line`."""

    place: str

    def __new__(cls, value: str, place: str = "") -> Text:
        text = super().__new__(cls, value)
        text.place = place
        return text


def place_of(text: object) -> str:
    """Where a text was written, `file:line`; empty for anything else."""
    return getattr(text, "place", "")


def prefix(text: object) -> str:
    """How a message about a text begins: `file:line: `; empty where its place is not known."""
    return f"{place_of(text)}: " if place_of(text) else ""


def load(path: Path, shown: str = "") -> Any:
    """The content of a YAML file: dicts, lists, numbers, booleans, and every key and string as `Text`.

    `shown` is the file's name in messages. Raises InputError naming file and line.
    """
    shown = shown or path.name
    text = read(path, shown)
    if path.suffix == ".json":
        text = text.replace("\t", " ")  # which JSON indents with, and YAML does not
    return parse(text, shown)


def parse(text: str, shown: str) -> Any:
    """As `load`, of a text that is here already."""
    node = yaml_nodes.parse(text, shown)
    return None if node is None else _value(node, shown)


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


def _value(node: yaml.Node, shown: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {Text(key, place): _value(value, shown) for key, place, value in yaml_nodes.items(node, shown)}
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, shown) for item in node.value]
    if node.tag in TEXT_TAGS:
        return Text(node.value, yaml_nodes.place(node, shown))
    return yaml_nodes.scalar(node, shown)
