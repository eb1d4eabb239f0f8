"""YAML in which every value knows the file and line it stands in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

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


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Without aliases: they can go round in circles, and `base` and `include` do what they are for."""
        if self.check_event(yaml.AliasEvent):
            mark = self.get_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="an alias (*) is not understood here", problem_mark=mark)
        return super().compose_node(parent, index)


def parse_mapping(text: str, where: str) -> dict[str, Value]:
    """Keys and values of a text, each with its place. Raises: InputError with file and line for what is no YAML."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise InputError(f"{where}:1: a chroot definition is a list of keys with values, such as 'suite: trixie'.")
        values: dict[str, Value] = _value(node, loader, where).content
        return values
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{where}:{line}: this is not valid YAML: {error.problem}.") from error
    except yaml.YAMLError as error:  # a character that YAML does not have
        raise InputError(f"{where}: this is not valid YAML.") from error


def _value(node: yaml.Node, loader: _Loader, where: str) -> Value:
    place = f"{where}:{node.start_mark.line + 1}"
    if isinstance(node, yaml.SequenceNode):
        return Value(content=[_value(item, loader, where) for item in node.value], where=place)
    if isinstance(node, yaml.MappingNode):
        return Value(content=_items(node, loader, where), where=place)
    try:
        return Value(content=loader.construct_object(node), where=place)
    except ValueError as error:
        raise InputError(f"{place}: {error}.") from error


def _items(node: yaml.MappingNode, loader: _Loader, where: str) -> dict[str, Value]:
    items: dict[str, Value] = {}
    for key_node, value_node in node.value:
        key, place = str(key_node.value), f"{where}:{key_node.start_mark.line + 1}"
        if key in items:
            raise InputError(f"{place}: the key {key} is there twice.")
        items[key] = Value(content=_value(value_node, loader, where).content, where=place)
    return items
