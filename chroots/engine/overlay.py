"""Read-only layers and one writable upper as one tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chroots.engine.base import Layer


@contextmanager
def overlay(layers: Sequence[Layer], at: Path, *, upper: Path) -> Iterator[Path]:
    """Mount `layers` (topmost first) at `at`, changes going to `upper` (which gets the folders `changes`, `scratch`).

    Layers in use are locked against eviction; leaving the block unmounts. Needs CAP_SYS_ADMIN: run your process in
    `debatomic.tools.run.contained`, then a killed process leaves no mount behind.
    """
    raise NotImplementedError
    yield at
