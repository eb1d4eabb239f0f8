"""Stages and their order: data, and what of it a run does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from composes.pipeline.treefiles import options as schemas
from composes.pipeline.treefiles.options import Schema
from debatomic.tools.errors import InputError

if TYPE_CHECKING:
    from composes.pipeline.job import Job, Order

PHASES = ("init", "gather", "rootfs", "ostree", "container", "image", "test")
Facts = dict[str, Any]
NO_OPTIONS: Schema = {"type": "object", "properties": {}}


def _nothing(order: Order) -> Facts:
    return {}


def _always(order: Order) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Deliverable:
    """One thing a compose hands out: `path` is below the output folder."""

    name: str
    kind: str
    path: str
    sha256: str
    size: int
    facts: Facts


def _nothing_delivered(order: Order, result: Result) -> Sequence[Deliverable]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One step: `make` fills a folder from the folders of what it `needs` and returns what is worth knowing.

    Its identity is name, revision, `options(order)`, its inputs' digests and (where it `uses_tools`) the tools';
    a stored result of the same identity is used instead of making it again. `stored=False`: made every time.
    """

    name: str
    phase: str
    make: Callable[[Job], Facts]
    needs: tuple[str, ...] = ()
    options: Callable[[Order], Facts] = _nothing
    wanted: Callable[[Order], bool] = _always
    deliver: Callable[[Order, Result], Sequence[Deliverable]] = _nothing_delivered
    uses_tools: bool = True
    stored: bool = True
    schema: Schema = field(default_factory=lambda: NO_OPTIONS)  # of its options
    gate: str = ""  # the gate whose verdict its end is; a gate that fails does not end the run
    revision: int = 1  # raise it when `make` begins to do something else


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a stage made: its folder, what is worth knowing, and how long it took this time."""

    stage: str
    phase: str
    identity: str
    folder: Path
    facts: Facts
    seconds: float
    reused: bool

    @property
    def digest(self) -> str:
        """Names the content where the stage can say it, otherwise how it was made."""
        return str(self.facts.get("digest", self.identity))


def identity(stage: Stage, options: Facts, inputs: Mapping[str, str], tools: str) -> str:
    """The name of a stage's result: a digest of everything that decides it.

    Raises ToolError for options that are not as the stage's schema says.
    """
    schemas.check(stage.name, options, stage.schema)
    parts = {"stage": stage.name, "revision": stage.revision, "options": options, "inputs": dict(inputs),
             "tools": tools if stage.uses_tools else ""}  # fmt: skip
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
    return f"{stage.name}-{digest[:32]}"


def ordered(stages: Sequence[Stage]) -> list[Stage]:
    """By phase, and within one after what they need; otherwise as written. Raises InputError for a circle."""
    known = {stage.name: stage for stage in stages}
    done: list[Stage] = []
    waiting = sorted(stages, key=lambda stage: PHASES.index(stage.phase))
    while waiting:
        ready = next((s for s in waiting if all(known[need] in done for need in s.needs if need in known)), None)
        if ready is None:
            raise InputError(f"The stages {', '.join(stage.name for stage in waiting)} wait for each other.")
        waiting.remove(ready)
        done.append(ready)
    return done


def check_phases(names: Collection[str]) -> None:
    """Raises InputError for a name that is none."""
    for name in names:
        if name not in PHASES:
            raise InputError(f"There is no phase {name}; the phases are {', '.join(PHASES)}.")


def selected(
    stages: Sequence[Stage], only: Collection[str] = (), skip: Collection[str] = (),
    places: Mapping[str, str] | None = None,
) -> list[Stage]:  # fmt: skip
    """The stages of the phases or parts `only` (none: all) with what they need, without `skip` and what needs those.

    `places` are the parts of the stages by name.
    """
    known = {stage.name: stage for stage in stages}
    of = {stage.name: {stage.phase, (places or {}).get(stage.name, stage.phase)} for stage in stages}
    chosen = {name for name, words in of.items() if not only or words & set(only)}
    grown: set[str] = set()
    while grown != chosen:
        grown = set(chosen)
        chosen |= {need for name in grown for need in known[name].needs if need in known}
    dropped = {name for name, words in of.items() if words & set(skip)}
    shrunk: set[str] = set()
    while shrunk != dropped:
        shrunk = set(dropped)
        dropped |= {stage.name for stage in stages if set(stage.needs) & shrunk}
    return [stage for stage in ordered(stages) if stage.name in chosen - dropped]
