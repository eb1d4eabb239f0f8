"""Which commit of a served repository is newer, and what was done to its refs in which order.

Composes may end in another order than they began; a ref never goes back because an older one was published later.
What is noted lies in the repository, so that whoever holds its lock knows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from composes.pipeline.publishing.updates import object_path
from debatomic.tools.files import whole

PLACE = "extensions/debatomic"  # libostree leaves it alone


@dataclass(frozen=True)
class Ordering:
    """Of the repository `repo`, whose lock the caller holds."""

    repo: Path

    def of(self, commit: str) -> int:
        """The number of the compose that published this commit; 0 where that is not known."""
        return _number(self._orders / commit) if commit else 0

    def note(self, commit: str, number: int) -> None:
        """A compose with this number, higher than those of all before it, published a commit."""
        _write(self._orders / commit, max(number, self.of(commit)))

    def next_serial(self) -> int:
        """One more for each change of refs: of two that are told late, the higher one was done later."""
        path = self.repo / PLACE / "serial"
        _write(path, serial := _number(path) + 1)
        return serial

    def forget_gone(self) -> None:
        """Remove the notes on commits that are not there any more."""
        for path in self._orders.glob("*"):
            if not object_path(self.repo, path.name, "commit").exists():
                path.unlink()

    @property
    def _orders(self) -> Path:
        return self.repo / PLACE / "orders"


def _number(path: Path) -> int:
    return int(path.read_text()) if path.exists() else 0


def _write(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as file:
        file.write(f"{number}\n".encode())
