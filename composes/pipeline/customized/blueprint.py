"""A blueprint (bootc-image-builder's config.toml or config.json) as a part of a treefile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from composes.pipeline.customized import folding, toml_places
from composes.pipeline.treefiles import marks, mistakes
from composes.pipeline.treefiles.marks import Text, place_of, prefix
from debatomic.tools.errors import InputError

Part = dict[str, Any]
NO_COUNTERPART = {
    "version": "a compose gets its version from the archive's date",
    "modules": "Debian has no modules",
    "distro": "say suite in the treefile",
    "containers": "put containers on the machine after it is installed",
    "enabled_modules": "Debian has no modules",
    "minimal": "choose a variant",
    "arch": "say architectures in the treefile",
    "architecture": "say architectures in the treefile",
}


def part_of(text: str, shown: str) -> tuple[Part, list[str]]:
    """The treefile's part, checked, and what was left out, a line each. Raises InputError with file and line."""
    content = toml_places.load(text, shown) if shown.endswith(".toml") else _json(text, shown)
    left: list[str] = []
    part: Part = {}
    for key, value in content.items():
        if key in NO_COUNTERPART:
            left.append(f"{prefix(key)}{key} has no counterpart: {NO_COUNTERPART[key]}.")
        elif key in TAKEN:
            part |= TAKEN[key](value, left)
        else:
            known = [*TAKEN, *NO_COUNTERPART]
            raise InputError(f"{prefix(key)}unknown key {key}{mistakes.near(key, known)}")
    _octal_modes(part.get("customizations"))
    folding.refuse(part)
    mistakes.validate(part, shown)
    if "customizations" in part:
        folding.fold(part["customizations"])
    return part, left


def _json(text: str, shown: str) -> Part:
    content = marks.parse(text.replace("\t", " "), shown)
    if not isinstance(content, dict):
        raise InputError(f"{shown}:1: a blueprint is a mapping.")
    return content


def _packages(value: Any, left: list[str]) -> Part:
    names = []
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, dict) or "name" not in each:
            raise InputError(f"{prefix(each)}each of packages needs a name.")
        names.append(each["name"])
        if each.get("version", "*") not in ("*", ""):
            left.append(f"{prefix(each['version'])}the version of {each['name']} has no counterpart: a lock or a "
                        "snapshot fixes versions.")  # fmt: skip
    return {"packages": names}


def _groups(value: Any, left: list[str]) -> Part:
    left += [f"{prefix(each['name'])}the group {each['name']} has no counterpart: name packages, or a package group "
             "of the treefile." for each in value if isinstance(each, dict) and "name" in each]  # fmt: skip
    return {}


TAKEN: dict[str, Callable[[Any, list[str]], Part]] = {
    "name": lambda value, left: {"name": value}, "description": lambda value, left: {"summary": value},
    "packages": _packages, "groups": _groups, "customizations": lambda value, left: {"customizations": value},
}  # fmt: skip


def _octal_modes(said: Any) -> None:
    """TOML has 0o644 for modes; a treefile has them as texts."""
    for kind in ("files", "directories"):
        for each in said.get(kind, []) if isinstance(said, dict) else []:
            if isinstance(each, dict) and type(each.get("mode")) is int:
                each["mode"] = Text(f"{each['mode']:04o}", place_of(next(iter(each))))


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(value), style=style)


_Dumper.add_representer(Text, _text)
_Dumper.add_representer(str, _text)


def dump(part: Part) -> str:
    """A part as YAML, in the order it has."""
    return yaml.dump(part, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def read(path: Path) -> tuple[Part, list[str]]:
    """As `part_of`, of a file."""
    return part_of(marks.read(path, path.name), path.name)
