"""YAML read as nodes that know their line, so that a message can name file and line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from debatomic.tools.errors import InputError


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Without aliases: they can go round in circles, and our files have words of their own for repetition."""
        if self.check_event(yaml.AliasEvent):
            mark = self.get_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="an alias (*) is not understood here", problem_mark=mark)
        return super().compose_node(parent, index)


def parse(text: str, shown: str) -> yaml.Node | None:
    """The document in a text, None where it is empty. Raises: InputError with `shown` and line for what is no YAML."""
    try:
        return _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{shown}:{mark.line + 1}" if mark else shown
        raise InputError(f"{where}: this is not valid YAML: {error.problem or error.context}.") from error
    except yaml.reader.ReaderError as error:  # a character that YAML does not have
        line = text.count("\n", 0, error.position) + 1
        raise InputError(f"{shown}:{line}: this is not valid YAML: {error.reason}.") from error


def place(node: yaml.Node, shown: str) -> str:
    """Where a node stands, as `file:line`."""
    return f"{shown}:{node.start_mark.line + 1}"


def items(node: yaml.MappingNode, shown: str) -> Iterator[tuple[str, str, yaml.Node]]:
    """Key, place of the key and value of each entry. Raises: InputError for a key that is no word, or there twice."""
    seen = set()
    for key, value in node.value:
        where = place(key, shown)
        if not isinstance(key, yaml.ScalarNode):
            raise InputError(f"{where}: a key must be a plain word.")
        if key.value in seen:
            raise InputError(f"{where}: the key {key.value} is there twice.")
        seen.add(key.value)
        yield key.value, where, value


def scalar(node: yaml.Node, shown: str) -> Any:
    """A text, number, truth value, date or None. Raises: InputError for what is none: 2024-13-01."""
    try:
        return yaml.constructor.SafeConstructor().construct_object(node)
    except (ValueError, yaml.constructor.ConstructorError) as error:
        raise InputError(f"{place(node, shown)}: {getattr(error, 'problem', None) or error}.") from error
