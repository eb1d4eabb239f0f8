"""Package groups kept in step with the archive's tasks and metapackages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from composes.pipeline.packages.indexes import field, stanzas
from composes.pipeline.treefiles import marks, mistakes
from composes.pipeline.treefiles.marks import place_of
from composes.pipeline.treefiles.mistakes import near
from debatomic.tools.errors import InputError
from debatomic.tools.files import whole

Groups = dict[str, dict[str, Any]]
TASK = "task-"
TOOLS = "tasksel"  # which every task depends on, and no system needs


def read(path: Path) -> Groups:
    """The package groups of a file that holds nothing else. Raises InputError."""
    content = marks.load(path)
    mistakes.validate(content, path.name)
    if other := next((key for key in content if key != "package-groups"), ""):
        raise InputError(f"{place_of(other)}: the key {other} is here, but a file of groups that is synchronised holds "
                         "package-groups only.", hint="Move it to the file that includes this one.")  # fmt: skip
    return {str(name): dict(group or {}) for name, group in content["package-groups"].items()}


def synchronised(groups: Groups, listed: str) -> Groups:
    """The groups with what their task or metapackage has in these Packages lists; the others as they are."""
    known = {field(stanza, "Package"): stanza for stanza in stanzas(listed)}
    return {name: {**group, "packages": _members(group, known)} if _source(group) else group
            for name, group in groups.items()}  # fmt: skip


def _source(group: Mapping[str, Any]) -> str:
    """The package a group follows; empty for one that people write."""
    return TASK + group["task"] if group.get("task") else str(group.get("metapackage", ""))


def _members(group: Mapping[str, Any], known: Mapping[str, str]) -> list[str]:
    """What the task or metapackage depends on, and of a task what it recommends: of alternatives the first there is."""
    source = _source(group)
    if source not in known:
        place = place_of(group.get("task") or group["metapackage"])
        raise InputError(f"{place}: the archive has no package {source}{near(source, known)}")
    fields = ("Depends", "Recommends") if group.get("task") else ("Depends",)
    wanted = [_first(each, known) for name in fields for each in field(known[source], name).split(",") if each.strip()]
    return sorted({name for name in wanted if name and name != TOOLS})


def _first(alternatives: str, known: Mapping[str, str]) -> str:
    names = [re.split(r"[ (:]", each.strip(), maxsplit=1)[0] for each in alternatives.split("|")]
    return next((name for name in names if name in known), "")


def differences(old: Groups, new: Groups) -> Iterator[str]:
    """A line for each package that a group gains (`+ gnome: papers`) or loses (`- gnome: evince`)."""
    for name, group in new.items():
        was, now = old[name].get("packages", []), group.get("packages", [])
        yield from (f"- {name}: {package}" for package in was if package not in now)
        yield from (f"+ {name}: {package}" for package in now if package not in was)


def write(path: Path, groups: Groups) -> None:
    """Write the groups back under the remarks that the file begins with."""
    remarks = _head(path.read_text().splitlines())
    plain = {name: {str(key): _plain(value) for key, value in group.items()} for name, group in groups.items()}
    text = yaml.safe_dump({"package-groups": plain}, sort_keys=False, allow_unicode=True, width=100)
    with whole(path) as file:
        file.write(("".join(f"{line}\n" for line in remarks) + text).encode())


def _head(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        if line and not line.startswith("#"):
            return
        yield line


def _plain(value: Any) -> Any:
    return [str(item) for item in value] if isinstance(value, list) else str(value)
