"""What a treefile may hold, as JSON schema: published as it is, and what every treefile is checked against."""

from __future__ import annotations

from composes.pipeline.customized.schema import CUSTOMIZATIONS
from composes.pipeline.treefiles import gate_schema
from composes.pipeline.treefiles.iso import ISO
from composes.pipeline.treefiles.shapes import YES_OR_NO, Schema
from composes.pipeline.treefiles.shapes import list_of as _list
from composes.pipeline.treefiles.shapes import mapping as _mapping
from composes.pipeline.treefiles.shapes import text as _text

REMOVE = "remove-"
FILESYSTEMS = ("ext4", "xfs", "btrfs")  # of the root
BOOTLOADERS = ("grub", "systemd-boot")
FIRST_BOOTS = ("none", "cloud-init", "systemd-firstboot")  # who asks what a machine shall be

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
BESIDE = _text(r"[A-Za-z0-9_][A-Za-z0-9_./+~%:-]*", "a relative path of a file beside or below the treefile")

REPOSITORY = _mapping({
    "name": WORD,
    "uri": URI,
    "suite": _text(r"[A-Za-z0-9][A-Za-z0-9._/-]*", "the name of a suite"),
    "components": _list(WORD),
    "key": {"type": "string", "description": "the OpenPGP key its InRelease is signed with, ASCII-armoured"},
    "key-file": BESIDE,
    "fingerprint": _text(r"([0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})", "a fingerprint: 40 or 64 hexadecimal digits"),
    "priority": {"type": "integer", "minimum": 1, "maximum": 1001, "description": "an apt priority, 1 to 1001"},
}, "name", "uri", "suite")  # fmt: skip
DEB = _mapping({
    "file": BESIDE, "sha256": _text(r"[0-9a-f]{64}", "a SHA-256: 64 hexadecimal digits in small letters"),
}, "file", "sha256")  # fmt: skip
LISTS: dict[str, Schema] = {
    "forbidden-packages": PACKAGE,
    "components": WORD, "packages": PACKAGE, "groups": WORD, "exclude": PACKAGE, "purge-packages": PACKAGE,
    "repositories": REPOSITORY, "debs": DEB, "kargs": KARG, "channels": WORD, "enable": UNIT, "disable": UNIT,
    "mask": UNIT, "formats": {"enum": ["raw", "qcow2", "vmdk", "vhd", "iso", "tar", "oci"]},
    "firmware": {"enum": ["bios", "uefi"]},
}  # fmt: skip
LISTS["failable"] = LISTS["formats"]


def _lists(*names: str) -> dict[str, Schema]:
    """Some of the lists, each with the key that takes items away from it."""
    return {name: _list(LISTS[name]) for name in names} | {REMOVE + name: _list(ITEM) for name in names}


CONDITIONED: dict[str, Schema] = {
    **_lists("components", "packages", "groups", "exclude", "purge-packages"),
    **_lists("repositories", "debs", "kargs", "channels"),
    "summary": SUMMARY,
    "ref": _text(r"[A-Za-z0-9{][A-Za-z0-9._/{}-]*", "an OSTree ref; {suite}, {variant} and {channel} are filled in"),
    **gate_schema.keys(WORD, PACKAGE, ITEM),
    "recommends": YES_OR_NO,
    "documentation": YES_OR_NO,
    "check-valid-until": YES_OR_NO,
    "snapshot": _text(r"[0-9]{4}-?[0-1][0-9]-?[0-3][0-9](T[0-2][0-9][0-5][0-9][0-5][0-9]Z)?",
                      "a time such as 2026-11-01 or 20261101T120000Z"),
    "units": _mapping(_lists("enable", "disable", "mask")),
    "customizations": CUSTOMIZATIONS,
    "first-boot": {"enum": list(FIRST_BOOTS)},
    "image": _mapping({
        "size": _text(r"([1-9][0-9]{0,5}[MG]|auto)", "a size such as 1500M or 3G, or auto"),
        "filesystem": {"enum": list(FILESYSTEMS)},
        "bootloader": {"enum": list(BOOTLOADERS)},
        **_lists("formats", "firmware", "failable"),
        "iso": ISO,
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
