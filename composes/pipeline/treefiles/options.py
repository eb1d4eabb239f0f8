"""The options of stages as JSON schemas: those that are fields of a treefile have the schema of their types."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from jsonschema import Draft202012Validator

from composes.pipeline.treefiles.treefile import Tree
from debatomic.tools.errors import Kind, ToolError

Schema = dict[str, Any]
SIMPLE: dict[Any, str] = {str: "string", int: "integer", bool: "boolean", float: "number"}
TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
DIGEST: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
FIRMWARE: Schema = {"type": "array", "items": {"enum": ["bios", "uefi"]}}
COMMIT: Schema = {"type": "string", "pattern": "^([0-9a-f]{64})?$"}


def takes(*names: str, **more: Schema) -> Schema:
    """The schema of a stage's options: fields of the resolved treefile by `names`, and others with their schema."""
    hints = typing.get_type_hints(Tree)
    return {"type": "object", "properties": {**{name: of_type(hints[name]) for name in names}, **more}}


def of_type(hint: Any) -> Schema:
    """What a value of this type looks like as JSON."""
    if hint in SIMPLE:
        return {"type": SIMPLE[hint]}
    if is_dataclass(hint):
        known = typing.get_type_hints(hint)
        return {"type": "object", "properties": {each.name: of_type(known[each.name]) for each in fields(hint)}}
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return {"anyOf": [of_type(each) for each in typing.get_args(hint)]}
    return _of_tuple(typing.get_args(hint)) if typing.get_origin(hint) is tuple else {}


def _of_tuple(items: tuple[Any, ...]) -> Schema:
    """A tuple of any length, or one with a type for each place."""
    if len(items) == 2 and items[1] is ...:
        return {"type": "array", "items": of_type(items[0])}
    return {"type": "array", "prefixItems": [of_type(each) for each in items], "minItems": len(items),
            "maxItems": len(items)}  # fmt: skip


def check(name: str, options: Mapping[str, Any], schema: Schema) -> None:
    """Raises ToolError where the options of the stage `name` are not as its schema says."""
    if fault := next(iter(Draft202012Validator(schema).iter_errors(dict(options))), None):
        where = ".".join(map(str, fault.absolute_path)) or "they"
        raise ToolError(f"The options of the stage {name} are wrong: {where}: {fault.message:.200}.",
                        kind=Kind.INTERNAL)  # fmt: skip
