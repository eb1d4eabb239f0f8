"""The few shapes that JSON schemas of ours are made of."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
YES_OR_NO: Schema = {"type": "boolean", "description": "yes or no"}


def text(pattern: str, description: str) -> Schema:
    """A line of text that fits the pattern: `$(?!\\n)` means the end in Python's dialect and in ECMA's."""
    return {"type": "string", "pattern": f"^{pattern}$(?!\\n)", "description": description, "maxLength": 500}


def list_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def mapping(properties: dict[str, Schema], *required: str, empty: bool = False) -> Schema:
    """A mapping of these keys and no other."""
    kind: str | list[str] = ["object", "null"] if empty else "object"
    needed = {"required": list(required)} if required else {}
    return {"type": kind, **needed, "additionalProperties": False, "properties": properties}
