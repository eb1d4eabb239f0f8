"""What a promotion policy may hold, as a JSON schema."""

from __future__ import annotations

from typing import Any, Final

VERDICTS: Final = ("passed", "warned", "failed", "skipped")  # of a result of a build
MODES: Final = ("move", "copy")
LEVELS: Final = ("block", "warn", "off")
STATES: Final = ("free", "assigned", "running", "completed", "failed", "canceled")

WORD: Final = {"type": "string", "minLength": 1, "maxLength": 100}
WORDS: Final = {"type": ["string", "array"], "items": WORD, "minItems": 1, "maxItems": 100}
TIME: Final = {"type": "string", "pattern": r"^[0-9]{1,6} ?(minutes?|hours?|days?|weeks?)$",
               "description": "a time such as 12 hours or 5 days"}  # fmt: skip


def _mapping(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False, "minProperties": 1}


CONDITIONS: Final = {
    "state": WORDS,
    "tests": {"type": "object", "minProperties": 1, "maxProperties": 50, "additionalProperties": WORDS},
    "signatures": WORDS,
    "submitter": _mapping(name=WORDS, role=WORDS, **{"not": WORDS}),
    "promoter": _mapping(name=WORDS, role=WORDS, **{"not": WORDS, "another": {"type": "boolean"}}),
    "age": _mapping(**{"in-tag": TIME, "built": TIME}),
    "tag": _mapping(**{"in": WORDS, "not-in": WORDS}),
    "version": {"type": "string", "enum": ["newer", "not-older"]},
}
GROUPS: Final = {
    "any": {"type": "array", "minItems": 1, "maxItems": 20, "items": {"$ref": "#/$defs/conditions"}},
    "not": {"$ref": "#/$defs/conditions"},
}
SCOPE: Final = {
    "from": WORDS, "to": WORDS, "packages": WORDS, "level": {"type": "string", "enum": list(LEVELS)},
    "hint": {"type": "string", "maxLength": 200},
}  # fmt: skip

POLICY: Final = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A promotion policy of DebAtomic",
    "type": "object",
    "required": ["path", "rules"],
    "additionalProperties": False,
    "properties": {
        "title": {"type": "string", "maxLength": 200},
        "path": {"type": "array", "items": WORD, "minItems": 2, "maxItems": 12},
        "mode": {"type": "string", "enum": list(MODES)},
        "rules": {
            "type": "object", "maxProperties": 50,
            "additionalProperties": {
                "type": "object", "additionalProperties": False, "minProperties": 1,
                "properties": {**SCOPE, **CONDITIONS, **GROUPS},
            },
        },
    },
    "$defs": {"conditions": _mapping(**CONDITIONS, **GROUPS)},
}  # fmt: skip
