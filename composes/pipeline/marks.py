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


def load(path: Path, shown: str = "") -> Any:
    """The content of a YAML file: dicts, lists, numbers, booleans, and every key and string as `Text`.

    `shown` is the file's name in messages. Raises InputError naming file and line.
    """
    shown = shown or path.name
    node = yaml_nodes.parse(_read(path, shown), shown)
    return None if node is None else _value(node, shown)


def _read(path: Path, shown: str) -> str:
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
