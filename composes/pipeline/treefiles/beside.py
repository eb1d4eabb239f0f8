"""What lies beside a treefile: keys of repositories, and packages of its own; and the archives' time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from composes.pipeline.treefiles.marks import Text, place_of, prefix, read
from debatomic.tools.errors import InputError


def take_keys(content: Any, treefile: Path, top: Path) -> list[Path]:
    """Put the text of every `key-file` in its repository's `key`; the files it read, none of which lies outside `top`.

    Raises InputError with the line.
    """
    found = []
    for repository in _repositories(content):
        if "key-file" not in repository:
            continue
        name = repository.pop("key-file")
        if "key" in repository:
            raise InputError(f"{prefix(name)}repository {repository['name']} has both a key and a key-file.")
        path = within(treefile.parent, name, top)
        repository["key"] = Text(read(path, name), place_of(name))
        found.append(path)
    return found


def _repositories(content: Any) -> Iterator[dict[str, Any]]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield from value if key == "repositories" and isinstance(value, list) else _repositories(value)
    elif isinstance(content, list):
        for each in content:
            yield from _repositories(each)


def within(folder: Path, name: str, top: Path) -> Path:
    """The file `name` of `folder`. Raises InputError, with its line, if it is outside `top`, or is not there."""
    path = (folder / name).resolve()
    if not path.is_relative_to(top.resolve()):
        raise InputError(f"{prefix(name)}{name} leads out of the folder of the treefile.")
    if not path.is_file():
        raise InputError(f"{prefix(name)}there is no file {name}.")
    return path


def moment(said: str) -> str:
    """`2026-11-01` as snapshot services write it: 20261101T000000Z. Raises InputError for no day, and the future."""
    if not said:
        return ""
    plain = said.replace("-", "")
    form = "%Y%m%dT%H%M%SZ" if "T" in plain else "%Y%m%d"
    try:
        time = datetime.strptime(plain, form).replace(tzinfo=UTC)
    except ValueError as error:
        raise InputError(f"{prefix(said)}snapshot: there is no {said}.") from error
    if time > datetime.now(UTC):
        raise InputError(f"{prefix(said)}snapshot: {said} is in the future.")
    return Text(f"{time:%Y%m%dT%H%M%SZ}", place_of(said))
