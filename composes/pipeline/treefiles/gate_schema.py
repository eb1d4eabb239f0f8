"""The keys of a treefile that are about gates, as JSON schema."""

from __future__ import annotations

from typing import Any

from composes.pipeline.treefiles.checks import FLAGS, GATES, LEVELS, MAX_SCRIPT_BYTES, SIZES

Schema = dict[str, Any]
LEVEL: Schema = {"enum": [*LEVELS, False], "description": "block, warn or off"}  # a bare off is YAML's false
SIZE: Schema = {
    "type": "string",
    "pattern": r"^[1-9][0-9]{0,5}[MG]$(?!\n)",
    "description": "a size such as 1500M or 3G",
}
SCRIPT: Schema = {"type": "string", "maxLength": MAX_SCRIPT_BYTES, "description": "a shell script"}
FILE: Schema = {
    "type": "string", "maxLength": 500, "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_./-]*\.sh$(?!\n)",
    "description": "the relative path of a script that ends with .sh",
}  # fmt: skip
SECONDS: Schema = {"type": "integer", "minimum": 1, "maximum": 3600, "description": "seconds, 1 to 3600"}
TEST: Schema = {
    "anyOf": [SCRIPT, {
        "type": "object", "additionalProperties": False,
        "properties": {"script": SCRIPT, "file": FILE, "time-limit": SECONDS},
    }, {"type": "null"}],
    "description": "a shell script, or a mapping with script or file and time-limit (seconds, 1 to 3600)",
}  # fmt: skip


def keys(word: Schema, package: Schema, item: Schema) -> dict[str, Schema]:
    """`tests`, `policies` and `gates`; given are the shapes of a name, of a package, and of what a list's item is."""
    yes_or_no = {"type": "boolean", "description": "yes or no"}
    policies: dict[str, Schema] = {
        **dict.fromkeys(SIZES, SIZE), **dict.fromkeys(FLAGS, yes_or_no),
        "forbidden-packages": {"type": "array", "items": package},
        "remove-forbidden-packages": {"type": "array", "items": item},
    }  # fmt: skip
    return {
        "tests": {"type": "object", "propertyNames": word, "additionalProperties": TEST},
        "policies": {"type": "object", "additionalProperties": False, "properties": policies},
        "gates": {"type": "object", "additionalProperties": False, "properties": dict.fromkeys(GATES, LEVEL)},
    }
