"""YAML whose texts remember where they were written, so that a message can name file and line."""

from __future__ import annotations

from typing import Any

import yaml

from debatomic.tools import yaml_nodes

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


def parse(text: str, shown: str) -> Any:
    """The content of a text: dicts, lists, numbers, booleans, and every key and string as `Text`; None where empty.

    `shown` is the file's name in messages. Raises InputError naming file and line.
    """
    node = yaml_nodes.parse(text, shown)
    return None if node is None else _value(node, shown)


def _value(node: yaml.Node, shown: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {Text(key, place): _value(value, shown) for key, place, value in yaml_nodes.items(node, shown)}
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, shown) for item in node.value]
    if node.tag in TEXT_TAGS:
        return Text(node.value, yaml_nodes.place(node, shown))
    return yaml_nodes.scalar(node, shown)
