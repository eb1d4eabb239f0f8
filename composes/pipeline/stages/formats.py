"""What the stages share that make another format of the disk."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from composes.pipeline.delivery import delivered
from composes.pipeline.graph import Deliverable, Facts, Result, Stage
from composes.pipeline.job import Job, Order


def stage(kind: str, make: Callable[[Job], Facts], needs: tuple[str, ...] = ("disk",), **more: Any) -> Stage:
    """Made where `image.formats` names it; `make` leaves `disk.KIND` and tells `digest` and `virtual_size`."""
    return Stage(name=kind, phase="image", make=make, needs=needs, wanted=partial(_wanted, kind),
                 deliver=partial(_deliver, kind), **more)  # fmt: skip


def _wanted(kind: str, order: Order) -> bool:
    return kind in order.tree.image.formats


def _deliver(kind: str, order: Order, result: Result) -> list[Deliverable]:
    facts = {"firmware": list(order.tree.image.firmware), "virtual_size": result.facts["virtual_size"]}
    name = f"disk.{kind}"
    return [delivered(order.output, result.folder / name, name, kind=kind, facts=facts, digest=result.digest)]
