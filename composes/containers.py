"""Containers of composes: what their pages show of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hosts.models import Task


@dataclass(frozen=True)
class Container:
    """A container of a compose as its page shows it."""

    architecture: str
    name: str
    digest: str
    layers: int
    bytes: int  # compressed
    update_bytes: int | None  # of the layers that the compose before has not
    rules: tuple[dict[str, Any], ...]  # of the lint, with what they found

    @property
    def broken(self) -> tuple[dict[str, Any], ...]:
        """The rules that found something."""
        return tuple(rule for rule in self.rules if rule["details"])


def containers(tasks: Iterable[Task]) -> list[Container]:
    """The containers of a compose, from its tasks' results."""
    found = ((task.architecture, task.result.get("container") or {}) for task in tasks)
    return [Container(architecture, each["name"], each["digest"], each["layers"], each["bytes"],
                      each.get("update_bytes"), tuple(each.get("rules", ())))
            for architecture, each in found if each.get("digest")]  # fmt: skip
