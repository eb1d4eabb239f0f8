"""What of a recipe was taken over so far."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from composes.pipeline.treefiles.marks import Text, prefix
from debatomic.tools.errors import InputError

COMMON = ("action", "description")
OTHER_WORD = re.compile(r"[^a-z0-9._-]+")


class Action:
    """One action; it knows which of its properties were looked at."""

    def __init__(self, said: dict[str, Any]) -> None:
        self.said = said
        self.seen = set(COMMON)

    @property
    def name(self) -> str:
        return str(self.said["action"])

    @property
    def place(self) -> str:
        return prefix(self.said["action"])

    def text(self, key: str, otherwise: str = "") -> str:
        return self._of(key, str, "text") or Text(otherwise)

    def flag(self, key: str, *, otherwise: bool = False) -> bool:
        value = self._of(key, bool, "true or false")
        return otherwise if value is None else bool(value)

    def items(self, key: str) -> list[Any]:
        return self._of(key, list, "a list") or []

    def mapping(self, key: str) -> dict[str, Any]:
        return self._of(key, dict, "a mapping") or {}

    def ignore(self, *keys: str) -> None:
        """These properties mean nothing here, and nothing is lost."""
        self.seen.update(keys)

    def _of(self, key: str, kind: type, word: str) -> Any:
        self.seen.add(key)
        value = self.said.get(key)
        if value is not None and not isinstance(value, kind):
            raise InputError(f"{self.key_place(key)}{key} of the action {self.name} must be {word}.")
        return value

    def key_place(self, key: str) -> str:
        """Where a property stands."""
        return next((prefix(each) for each in self.said if each == key), self.place)

    def unused(self) -> list[str]:
        return [f"{prefix(key)}{key} of the action {self.name} has no counterpart."
                for key in self.said if key not in self.seen]  # fmt: skip


@dataclass(kw_only=True)
class Taken:
    """The treefile as it grows, and what was left out, a line each with its place."""

    folder: Path
    name: str
    treefile: dict[str, Any] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    @property
    def word(self) -> str:
        """The recipe's name as a treefile may have it."""
        return OTHER_WORD.sub("-", self.name.lower()).strip("-._") or "imported"

    def leave(self, where: object, sentence: str) -> None:
        self.left.append(f"{prefix(where)}{sentence}")

    def add(self, *path: str, items: list[Any]) -> None:
        """More items to the list at a path of keys, each once."""
        part = self.treefile
        for key in path[:-1]:
            part = part.setdefault(key, {})
        known = part.setdefault(path[-1], [])
        known += [each for each in items if each not in known]
