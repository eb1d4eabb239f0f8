"""Customisations, applied to a tree in the order they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from composes.pipeline.customized import people, writing
from composes.pipeline.system.inside import inside
from debatomic.tools.errors import CommandFailed, InputError


def apply(root: Path, said: Mapping[str, Any], in_tree: Callable[[Sequence[str]], object]) -> None:
    """Before units are enabled and the initramfs is made. `in_tree` runs a program of the tree. Raises InputError."""
    inside(root, writing.write, said)
    commands = inside(root, people.write, said)
    if set(said.get("locale", {}).get("languages", ())) - {"C.UTF-8"}:
        commands.append(["locale-gen"])
    for command in commands:
        try:
            in_tree(command)
        except CommandFailed as error:
            raise InputError(f"customizations: {command[0]} refused: {(error.lines or [str(error)])[-1].strip()}",
                             lines=error.lines) from error  # fmt: skip
    inside(root, writing.own, said)


def finish(root: Path, said: Mapping[str, Any]) -> None:
    """After the layout is made, which leaves no name of a machine."""
    if "hostname" in said:
        inside(root, writing.name_machine, said["hostname"])
