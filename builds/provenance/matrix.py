"""All versions of a source package by target and architecture, each with its state: from its newest builds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from debian.debian_support import Version

Column = tuple[str, str]  # target and architecture


@dataclass(frozen=True)
class Cell:
    """The newest task of a version for a target and architecture; `build` is the build it is part of."""

    build: int
    task: int
    state: str
    cause: str
    scratch: bool


@dataclass(frozen=True)
class Row:
    """A version: its cells in the order of the columns, None where it was not built."""

    version: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Matrix:
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def targets(self) -> list[tuple[str, int]]:
        """Each target with the number of its columns."""
        names = [target for target, _ in self.columns]
        return [(name, names.count(name)) for name in dict.fromkeys(names)]


def matrix(builds: Iterable[Any], tasks: Mapping[int, Sequence[Any]]) -> Matrix:
    """Of builds, the newest first, and the tasks of each by the id of its parent task."""
    cells: dict[tuple[str, Column], Cell] = {}
    for build in builds:
        for task in tasks.get(build.task_id, ()):
            place = (build.version, (build.target.name, task.architecture or "any"))
            state = "canceling" if task.cancel_asked_at and task.is_live else task.state
            cells.setdefault(place, Cell(build.pk, task.pk, state, task.cause, build.scratch))
    columns = tuple(sorted({column for _, column in cells}))
    versions = sorted({version for version, _ in cells}, key=_order, reverse=True)
    rows = tuple(Row(each, tuple(cells.get((each, column)) for column in columns)) for each in versions)
    return Matrix(columns, rows)


def _order(text: str) -> Version:
    try:
        return Version(text)
    except ValueError:  # none that dpkg knows; older than all
        return Version("0~~")
