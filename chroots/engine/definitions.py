"""Chroot definitions in YAML, with inheritance; whatever is wrong is told with file, line and key."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from chroots.engine.spec import ChrootSpec
from debatomic.tools.errors import InputError

DEFINITIONS = Path(__file__).resolve().parent.parent / "definitions"
NAME = re.compile(r"[a-z0-9][a-z0-9.+-]*")
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+/_-]*")


@dataclass(frozen=True, kw_only=True)
class Value:
    """A value of a definition, and where it stands."""

    content: Any
    where: str


def _text(value: Value, key: str) -> str:
    if not isinstance(value.content, str) or not PLAIN.fullmatch(value.content):
        raise InputError(f"{value.where}: {key} must be a word, not {value.content!r}.")
    return value.content


def _mirror(value: Value, key: str) -> str:
    if not isinstance(value.content, str) or not re.fullmatch(r"((https?|file)://\S+)?", value.content):
        raise InputError(f"{value.where}: {key} must be an address that begins with http://, https:// or file:///.")
    return value.content.rstrip("/")


def _texts(value: Value, key: str) -> tuple[str, ...]:
    if not isinstance(value.content, list) or not all(isinstance(item, str) and item for item in value.content):
        raise InputError(f"{value.where}: {key} must be a list of words, for example [main, contrib].")
    return tuple(value.content)


def _path(value: Value, key: str) -> Path:
    if not isinstance(value.content, str) or not value.content.startswith("/"):
        raise InputError(f"{value.where}: {key} must be the path of a file, beginning with /.")
    return Path(value.content)


def _seconds(value: Value, key: str) -> int:
    if type(value.content) is not int or value.content < 0:
        raise InputError(f"{value.where}: {key} must be a number of seconds, not {value.content!r}.")
    return value.content


KEYS: Mapping[str, Callable[[Value, str], Any]] = {
    "suite": _text, "architecture": _text, "variant": _text, "mirror": _mirror, "components": _texts,
    "packages": _texts, "bootstrap_options": _texts, "keyring": _path, "refresh_after": _seconds,
}  # fmt: skip


def names(folder: Path = DEFINITIONS) -> list[str]:
    """The chroots that are defined."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load(name: str, folder: Path = DEFINITIONS) -> ChrootSpec:
    """The definition of a chroot, with what it inherits.

    Raises: InputError with file, line and key, or with the names there are.
    """
    values = _inherited(name, folder, ())
    converted = {key: KEYS[key](value, key) for key, value in values.items()}
    for key in ("suite", "architecture"):
        if key not in converted:
            raise InputError(f"{folder / name}.yaml: the key {key} is missing.")
    return ChrootSpec(name=name, **converted)


def _inherited(name: str, folder: Path, below: tuple[str, ...]) -> dict[str, Value]:
    if name in below:
        raise InputError(f"{folder / below[-1]}.yaml: base: {' is based on '.join([*below, name])}; that is a circle.")
    values = _read(name, folder, below)
    base = values.pop("base", None)
    inherited = _inherited(_text(base, "base"), folder, (*below, name)) if base else {}
    return {**inherited, **values}


def _read(name: str, folder: Path, below: tuple[str, ...]) -> dict[str, Value]:
    path = folder / f"{name}.yaml"
    if not NAME.fullmatch(name) or not path.is_file():
        near = get_close_matches(name, names(folder), n=1)
        origin = f"{folder / below[-1]}.yaml: base: " if below else ""
        raise InputError(f"{origin}There is no chroot '{name}'{f'; did you mean {near[0]}?' if near else '.'}",
                         hint=f"Known chroots: {', '.join(names(folder)) or 'none'}.")  # fmt: skip
    return parse(path.read_text(), str(path))


def parse(text: str, where: str) -> dict[str, Value]:
    """The keys of a definition's text, each with its place. Raises: InputError for what YAML or we do not know."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise InputError(f"{where}:1: a chroot definition is a list of keys with values, such as 'suite: trixie'.")
        return _keys(node, loader, where)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{where}:{line}: this is not valid YAML: {error.problem}.") from error


def _keys(node: yaml.MappingNode, loader: yaml.SafeLoader, where: str) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for key_node, value_node in node.value:
        key, place = str(key_node.value), f"{where}:{key_node.start_mark.line + 1}"
        if key in values:
            raise InputError(f"{place}: the key {key} is there twice.")
        if key != "base" and key not in KEYS:
            near = get_close_matches(key, KEYS, n=1)
            meant = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(['base', *KEYS])}."
            raise InputError(f"{place}: the key {key} is unknown; {meant}")
        values[key] = Value(content=loader.construct_object(value_node, deep=True), where=place)
    return values
