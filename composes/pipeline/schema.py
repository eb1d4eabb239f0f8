"""What a treefile may hold, as JSON schema: published as it is, and what every treefile is checked against."""

from __future__ import annotations

from typing import Any

from composes.pipeline import gate_schema

Schema = dict[str, Any]
REMOVE = "remove-"


def _text(pattern: str, description: str) -> Schema:
    """A line of text that fits the pattern: `$(?!\\n)` means the end in Python's dialect and in ECMA's."""
    return {"type": "string", "pattern": f"^{pattern}$(?!\\n)", "description": description, "maxLength": 500}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _mapping(properties: dict[str, Schema], *required: str, empty: bool = False) -> Schema:
    kind: str | list[str] = ["object", "null"] if empty else "object"
    needed = {"required": list(required)} if required else {}
    return {"type": kind, **needed, "additionalProperties": False, "properties": properties}


PACKAGE = _text(r"[a-z0-9*?\[][a-z0-9+.*?\[\]-]+", "the name of a Debian package, or a pattern such as fonts-*")
UNIT = _text(
    r"[A-Za-z0-9:_.@\\-]+\.(service|socket|timer|target|mount|automount|path|slice|swap)",
    "the name of a systemd unit with its ending, such as ssh.service",
)
WORD = _text(r"[a-z0-9][a-z0-9._-]*", "a word of small letters, digits, points and dashes")
URI = _text(r"https?://[!-~]+", "an address that begins with http:// or https://")
KARG = _text(r"[!#-&(-~]+", "one kernel argument without spaces or quotes")
SUMMARY = _text(r"[^\n\x00-\x1f]*", "one line of text")
ITEM = _text(r"[^\n\x00-\x1f]+", "an item of that list, or a pattern such as fonts-*")
YES_OR_NO: Schema = {"type": "boolean", "description": "yes or no"}

REPOSITORY = _mapping({
    "name": WORD,
    "uri": URI,
    "suite": _text(r"[A-Za-z0-9][A-Za-z0-9._/-]*", "the name of a suite"),
    "components": _list(WORD),
    "key": {"type": "string", "description": "the OpenPGP key its InRelease is signed with, ASCII-armoured"},
    "priority": {"type": "integer", "minimum": 1, "maximum": 1001, "description": "an apt priority, 1 to 1001"},
}, "name", "uri", "suite")  # fmt: skip
LISTS: dict[str, Schema] = {
    "forbidden-packages": PACKAGE,
    "components": WORD, "packages": PACKAGE, "groups": WORD, "exclude": PACKAGE, "purge-packages": PACKAGE,
    "repositories": REPOSITORY, "kargs": KARG, "channels": WORD, "enable": UNIT, "disable": UNIT,
    "formats": {"enum": ["raw", "qcow2", "vmdk", "vhd", "tar", "oci"]}, "firmware": {"enum": ["bios", "uefi"]},
}  # fmt: skip


def _lists(*names: str) -> dict[str, Schema]:
    """Some of the lists, each with the key that takes items away from it."""
    return {name: _list(LISTS[name]) for name in names} | {REMOVE + name: _list(ITEM) for name in names}


CONDITIONED: dict[str, Schema] = {
    **_lists("components", "packages", "groups", "exclude", "purge-packages", "repositories", "kargs", "channels"),
    "summary": SUMMARY,
    "ref": _text(r"[A-Za-z0-9{][A-Za-z0-9._/{}-]*", "an OSTree ref; {suite}, {variant} and {channel} are filled in"),
    **gate_schema.keys(WORD, PACKAGE, ITEM),
    "recommends": YES_OR_NO,
    "documentation": YES_OR_NO,
    "units": _mapping(_lists("enable", "disable")),
    "image": _mapping({
        "size": _text(r"([1-9][0-9]{0,5}[MG]|auto)", "a size such as 1500M or 3G, or auto"),
        **_lists("formats", "firmware"),
    }),
    "container": _mapping({
        "compression": {"enum": ["zstd", "gzip"]},
        "layers": {"type": "integer", "minimum": 12, "maximum": 127, "description": "a number of layers, 12 to 127"},
    }),
    "remote": _mapping({"name": WORD, "url": URI}, "name", "url"),
    "metadata": {
        "type": "object",
        "propertyNames": _text(r"[A-Za-z0-9][A-Za-z0-9._-]*", "a word"),
        "additionalProperties": SUMMARY,
    },
}  # fmt: skip
NAMES: Schema = {"anyOf": [WORD, _list(WORD)], "description": "a name or a list of names"}
WHEN = _mapping({"suite": NAMES, "variant": NAMES, "architecture": NAMES})
CONDITION = _mapping({**CONDITIONED, "if": WHEN, "unless": WHEN})
PART: dict[str, Schema] = {**CONDITIONED, "suite": WORD, "conditions": _list(CONDITION)}
ARCHITECTURES: Schema = {
    "type": "object",
    "propertyNames": WORD,
    "additionalProperties": _mapping(PART, empty=True),
}
VARIANT = _mapping({**PART, "inherits": NAMES, "architectures": ARCHITECTURES}, empty=True)
GROUP = _mapping({"summary": SUMMARY, "packages": _list(PACKAGE), "task": WORD, "metapackage": WORD}, empty=True)
INCLUDE = _text(r"[A-Za-z0-9_][A-Za-z0-9_./-]*", "a relative path of a file beside or below this one")
TREEFILE: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "DebAtomic treefile",
    **_mapping({
        **PART,
        "name": WORD,
        "include": {"anyOf": [INCLUDE, _list(INCLUDE)], "description": f"{INCLUDE['description']}, or a list of them"},
        "architectures": ARCHITECTURES,
        "variants": {"type": "object", "propertyNames": WORD, "additionalProperties": VARIANT},
        "package-groups": {"type": "object", "propertyNames": WORD, "additionalProperties": GROUP},
    }),
}  # fmt: skip
