"""Which dependency layers go, and when: unused for long, too many, or their base is gone; never one that is needed."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chroots.engine.layers.base import ABOUT as BASE_ABOUT
from chroots.engine.layers.shared import QUICK, all_of
from chroots.engine.state import LOCK, State, discard, locked_now
from debatomic.tools.errors import InputError

DAY = 86400.0
SIZE_VARIABLE, AGE_VARIABLE = "DEBATOMIC_LAYERS_GIB", "DEBATOMIC_LAYERS_DAYS"


@dataclass(frozen=True, kw_only=True)
class Keep:
    """How much is kept: bytes of all layers together, and seconds since a layer was last used."""

    size: int = 20 << 30
    age: float = 30 * DAY

    @classmethod
    def chosen(cls, size: int | None = None, days: float | None = None) -> Keep:
        """These values; for those that are None what the environment says, where it does."""
        size = int(_number(SIZE_VARIABLE, 20) * (1 << 30)) if size is None else size
        return cls(size=size, age=(_number(AGE_VARIABLE, 30) if days is None else days) * DAY)


def _number(name: str, default: float) -> float:
    text = os.environ.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        raise InputError(f"{name} is '{text}', but must be a number.")
    return float(text)


def evict(state: State, keep: Keep) -> list[str]:
    """Remove layers: those whose base is gone or that nobody used for long, then those used longest ago while they
    take too much. Layers in use, or below one that stays, stay. Returns the keys of those that went."""
    removed = []
    bases = set(_bases(state))
    oldest = time.time() - keep.age
    found = all_of(state)
    total = sum(told["bytes"] for _, told in found)
    for folder, told in _in_order(found):
        expired = told["base"] not in bases or told["used_at"] < oldest
        if (expired or total > keep.size) and remove(folder):
            total -= told["bytes"]
            removed.append(folder.name)
    _forget(state, oldest)
    return removed


def _bases(state: State) -> Iterator[str]:
    """The identities of those that are there."""
    for path in state.bases.glob(f"*/*/{BASE_ABOUT}"):
        with suppress(FileNotFoundError):  # another process renewed it a moment ago
            yield json.loads(path.read_text())["identity"]


def _in_order(found: Sequence[tuple[Path, dict[str, Any]]]) -> list[tuple[Path, dict[str, Any]]]:
    """Used longest ago first. The use of a layer is that of those below it, too, which come after it."""
    used: dict[str, float] = {}
    for folder, told in found:
        for key in (folder.name, *told["below"]):
            used[key] = max(used.get(key, 0.0), told["used_at"])
    layers = [(folder, {**told, "used_at": used[folder.name]}) for folder, told in found]
    return sorted(layers, key=lambda layer: (layer[1]["used_at"], -len(layer[1]["below"])))


def deepest_first(found: Iterable[tuple[Path, dict[str, Any]]]) -> list[tuple[Path, dict[str, Any]]]:
    """In an order in which all of them can be removed."""
    return sorted(found, key=lambda layer: -len(layer[1]["below"]))


def remove(folder: Path) -> bool:
    """Remove a layer that nobody uses and no other stands on; whether it went."""
    with suppress(FileNotFoundError), locked_now(folder / LOCK) as unused:
        free = unused and not _stand_on(folder)
        if free:
            discard(folder)
        return free
    return True  # somebody else was faster


def _stand_on(folder: Path) -> list[str]:
    """The layers above it. Whoever makes one holds the lock of what is below until it can be seen here."""
    return [other.name for other, told in all_of(State(folder.parents[1])) if folder.name in told["below"]]


def _forget(state: State, oldest: float) -> None:
    """Remove what was noted about builds whose layer is gone, or that were not repeated for long."""
    for path in (state.layers / QUICK).glob("[!.]*"):
        with suppress(FileNotFoundError):
            key = path.read_text()
            gone = bool(key) and not (state.layers / key.partition("\n")[0]).exists()
            if gone or path.stat().st_mtime < oldest:
                path.unlink()
