"""YAML in which every value knows the file and line it stands in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from debatomic.tools import yaml_nodes
from debatomic.tools.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Value:
    """A value and its place; `content` is a scalar, a list of Values, or a dict of Values by key."""

    content: Any
    where: str

    @property
    def plain(self) -> Any:
        """The content without places."""
        if isinstance(self.content, list):
            return [item.plain for item in self.content]
        if isinstance(self.content, dict):
            return {key: item.plain for key, item in self.content.items()}
        return self.content


def parse_mapping(text: str, where: str) -> dict[str, Value]:
    """Keys and values of a text, each with its place. Raises: InputError with file and line for what is no YAML."""
    node = yaml_nodes.parse(text, where)
    if not isinstance(node, yaml.MappingNode):
        raise InputError(f"{where}:1: a chroot definition is a list of keys with values, such as 'suite: trixie'.")
    return _items(node, where)


def _items(node: yaml.MappingNode, where: str) -> dict[str, Value]:
    return {key: Value(content=_content(value, where), where=place)
            for key, place, value in yaml_nodes.items(node, where)}  # fmt: skip


def _content(node: yaml.Node, where: str) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return [Value(content=_content(item, where), where=yaml_nodes.place(item, where)) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return _items(node, where)
    return yaml_nodes.scalar(node, where)
