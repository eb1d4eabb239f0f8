"""YAML whose texts remember where they were written, so that a message can name file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

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


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader without aliases: a treefile repeats by `include` and `inherits`."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases are not allowed here", problem_mark=event.start_mark)
        return super().compose_node(parent, index)


def load(path: Path, shown: str = "") -> Any:
    """The content of a YAML file: dicts, lists, numbers, booleans, and every key and string as `Text`.

    `shown` is the file's name in messages. Raises InputError naming file and line.
    """
    shown = shown or path.name
    loader = _Loader(_read(path, shown))
    try:
        node = loader.get_single_node()
        return None if node is None else _value(loader, node, shown)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{shown}:{mark.line + 1}" if mark else shown
        raise InputError(f"{where}: this is not valid YAML: {error.problem or error.context}.") from error
    except yaml.YAMLError as error:
        raise InputError(f"{shown}: this is not valid YAML: {error}.") from error
    finally:
        loader.dispose()


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


def _place(node: yaml.Node, shown: str) -> str:
    return f"{shown}:{node.start_mark.line + 1}"


def _value(loader: _Loader, node: yaml.Node, shown: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node, shown)
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, item, shown) for item in node.value]
    if node.tag in TEXT_TAGS:
        return Text(node.value, _place(node, shown))
    return loader.construct_object(node, deep=True)


def _mapping(loader: _Loader, node: yaml.MappingNode, shown: str) -> dict[Text, Any]:
    result: dict[Text, Any] = {}
    for key_node, value_node in node.value:
        place = _place(key_node, shown)
        if not isinstance(key_node, yaml.ScalarNode):
            raise InputError(f"{place}: a key must be a plain word.")
        key = Text(key_node.value, place)
        if key in result:
            raise InputError(f"{place}: the key {key} is written twice.")
        result[key] = _value(loader, value_node, shown)
    return result
