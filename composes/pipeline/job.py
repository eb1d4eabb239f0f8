"""What one run was asked for, and what a stage has at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chroots.engine.state import State
from composes.pipeline.graph import Result
from composes.pipeline.machines.previous import Previous
from composes.pipeline.packages.lock import Lock
from composes.pipeline.tools import Tools
from composes.pipeline.treefiles.treefile import Tree
from debatomic.tools.progress import Progress

if TYPE_CHECKING:
    from composes.pipeline.given import Given

SNAPSHOTS = "https://snapshot.debian.org/archive/debian/{date}"


@dataclass(frozen=True, kw_only=True)
class Order:
    """One compose as it was ordered. `mirror` is Debian's archive; `lock` fixes the packages; `respin` counts the
    composes of the variant: the last of the version."""

    tree: Tree
    state: State
    output: Path
    mirror: str
    keyring: Path
    lock: Lock | None = None
    respin: int = 0
    previous_repo: Path | None = None
    trusted_keys: str = ""  # ASCII-armoured: the system accepts updates that one of these signed
    previous_container: Mapping[str, Any] | None = None  # its manifest: packages keep their layers
    security_tracker: str = ""  # an address or a file of its data; empty: it is not asked
    previous: Previous | None = None  # the published compose whose machines will upgrade to this one
    boot_timeout: float = 900.0  # seconds, for each firmware
    memory: int = 1024  # MiB of the machine that boots the image
    folder: Path = Path()  # the treefile's
    snapshots: str = SNAPSHOTS  # the address of Debian's archive at `{date}`
    given: Mapping[str, Given] = field(default_factory=dict)  # results of stages that another host made


class Log:
    """The compose's log: every byte goes to all who listen."""

    def __init__(self, *listeners: Callable[[bytes], object]) -> None:
        self.listeners = listeners

    def __call__(self, chunk: bytes) -> None:
        for listener in self.listeners:
            listener(chunk)

    def line(self, text: str) -> None:
        self(text.encode() + b"\n")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One stage at work: `folder` is its own, empty at first; `inputs` are the results of what it needs."""

    order: Order
    folder: Path
    inputs: Mapping[str, Result]
    tools: Tools
    log: Log
    progress: Progress
    again: bool = False  # nothing that was kept within the stage is used either

    @property
    def tree(self) -> Tree:
        return self.order.tree

    def input(self, stage: str, *parts: str) -> Path:
        """A file in the result of an earlier stage."""
        return self.inputs[stage].folder.joinpath(*parts)
