"""Definitions of chroots that are kept in the database: read and checked by the engine's own reader.

A stored definition is one chroot in the engine's YAML. It may begin with a definition that comes with DebAtomic
(`base`) and include its templates, but no other file of the hub's.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from chroots.engine.configuration import definitions
from chroots.engine.configuration.places import Value, parse_mapping
from chroots.engine.configuration.values import KEYS
from chroots.engine.spec import ChrootSpec
from debatomic.tools.errors import InputError

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")  # as in addresses and file names
TAKEN = ("new",)  # by pages
INCLUDED = re.compile(r"templates/[a-z0-9-]+\.yaml")
AT_LINE = re.compile(r"line (\d+): ")
LENGTH = 64 * 1024
FIELDS = ("base", "suite", "architecture", "variant", "components", "+packages", "mirror")  # of forms, in this order


def shipped() -> list[str]:
    """The chroots whose definitions come with DebAtomic."""
    return definitions.names()


def families() -> list[str]:
    """What a definition may begin with (`base`): whole files and the chroots in them."""
    files = [path.stem for path in definitions.DEFINITIONS.glob("*.yaml")]
    return sorted({*files, *shipped()})


def check_name(name: str) -> None:
    """Raises InputError (field name) for what cannot be a chroot's name."""
    if not NAME.fullmatch(name) or name in TAKEN:
        raise InputError(
            f"{name!r} cannot be a chroot's name.", hint="Take small letters, digits and -, as in trixie-amd64.",
            field="name",
        )  # fmt: skip


def read(name: str, text: str) -> ChrootSpec:
    """What a definition means; an empty one is that of this name which comes with DebAtomic.

    Raises InputError (field definition) with the line and key that is wrong.
    """
    with _folder(name, text) as folder, _told(name, folder):
        return definitions.load(name, folder)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One value of a resolved configuration as text, and where it is from."""

    key: str
    value: str
    origin: str


def resolved(name: str, text: str) -> list[Setting]:
    """The resolved configuration, as the engine's `config` tells it. Raises InputError as `read` does."""
    with _folder(name, text) as folder, _told(name, folder):
        values = asdict(definitions.load(name, folder))
        origins = definitions.origins(name, folder)
    plain = {key: _plain(origin, name, folder) for key, origin in origins.items()}
    return [Setting(key=key, value=_shown(key, values[key]), origin=plain[key]) for key in KEYS]


def _shown(key: str, value: Any) -> str:
    if key == "mirror":
        return str(value) or "each host's own"
    if key == "repositories":
        return yaml.safe_dump([_filled(one) for one in value], sort_keys=False).strip() if value else "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def _filled(repository: dict[str, Any]) -> dict[str, Any]:
    said = {key: list(value) if isinstance(value, tuple) else value for key, value in repository.items() if value}
    return said | ({"secret": str(said["secret"])} if "secret" in said else {})


@contextmanager
def _folder(name: str, text: str) -> Iterator[Path]:
    """A folder that has the definition, if there is a text; the engine looks for others where it always does."""
    with tempfile.TemporaryDirectory(prefix="definition-") as folder:
        if text:
            Path(folder, f"{name}.yaml").write_text(text)
        yield Path(folder)


@contextmanager
def _told(name: str, folder: Path) -> Iterator[None]:
    """Tell what is wrong by line instead of by a file that nobody has."""
    try:
        path = folder / f"{name}.yaml"
        if path.is_file():
            _refuse_what_stays_on_hosts(path.read_text(), str(path))
        yield
    except InputError as error:
        raise InputError(_plain(str(error), name, folder), hint=error.hint, field="definition") from error


def _plain(message: str, name: str, folder: Path) -> str:
    """Less the folders of this machine: `line 3` of the text itself, `debian.yaml:4` of a shipped file."""
    message = message.removeprefix(f"{folder}/{name}.yaml: ")
    message = re.sub(rf"{re.escape(f'{folder}/{name}.yaml')}(?::(\d+))?", lambda at: f"line {at[1] or 1}", message)
    return message.replace(f" in {folder}", "").replace(f"{definitions.DEFINITIONS}/", "")


def _refuse_what_stays_on_hosts(text: str, where: str) -> None:
    """What would read files of the hub, or run as root outside of the jail, is for definition files."""
    if len(text) > LENGTH:
        raise InputError(f"A definition has at most {LENGTH // 1024} KiB.")
    keys = parse_mapping(text, where)
    for key, value in keys.items():
        if key.lstrip("+") == "bootstrap_options":
            raise InputError(f"{value.where}: {key} is understood in definition files only: its options can run "
                             "programs on the host.")  # fmt: skip
        if key == "include":
            _check_included(value)


def _check_included(value: Value) -> None:
    names = value.plain if isinstance(value.plain, list) else [value.plain]
    there = sorted(f"templates/{path.name}" for path in (definitions.DEFINITIONS / "templates").glob("*.yaml"))
    for name in names:
        if name not in there:
            raise InputError(f"{value.where}: include: there is no {name}.", hint=f"There are: {', '.join(there)}.")


def line_of(error: InputError) -> int:
    """The line of the text that an error is about; 0 if it is about none."""
    found = AT_LINE.match(str(error))
    return int(found[1]) if found else 0


def blamed(error: InputError, keys: Sequence[str]) -> tuple[str, str]:
    """Which key of a definition that was `composed` an error is about (empty: none of them), and its sentence.

    In the rest of the text the sentence has the line, counted there.
    """
    line, sentence = line_of(error), AT_LINE.sub("", error.sentence)
    for key in ("suite", "architecture"):
        if f"the key {key} is missing" in sentence:
            return key, f"Name the {key}: neither this nor what it begins with has one."
    if 0 < line <= len(keys):
        return keys[line - 1], sentence
    return "", f"Line {line - len(keys)}: {sentence}" if line else sentence


def composed(fields: dict[str, Any], more: str) -> tuple[str, list[str]]:
    """A definition from single values and the rest of its text; the text, and the key in each of its first lines."""
    given = {key: fields[key] for key in FIELDS if fields.get(key)}
    lines = [f"{key}: {_flow(value)}" for key, value in given.items()]
    rest = more.replace("\r\n", "\n").strip("\n")
    return "\n".join([*lines, *([rest] if rest else []), ""]), list(given)


def _flow(value: Any) -> str:
    """A value on one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=LENGTH).removesuffix("...\n").strip()


def divided(text: str) -> tuple[dict[str, Any], str]:
    """The values of a definition that a form has fields for, where each has its own line, and the rest of the text."""
    fields: dict[str, Any] = {}
    rest = []
    for line in text.splitlines():
        key, value = _alone(line)
        if key in FIELDS and key not in fields:
            fields[key] = value
        else:
            rest.append(line)
    return fields, "\n".join(rest)


def _alone(line: str) -> tuple[str, Any]:
    """The key and the value of a line that is whole in itself; two empty texts for any other."""
    if not line[:1].strip() or line.startswith(("#", "-")):
        return "", ""
    try:
        found = yaml.safe_load(line)
    except yaml.YAMLError:
        return "", ""
    if not isinstance(found, dict) or len(found) != 1 or " #" in line:
        return "", ""
    ((key, value),) = found.items()
    words = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return (str(key), value) if isinstance(value, str) or words else ("", "")
