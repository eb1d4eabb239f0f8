"""What a build is handed to: the engine itself, or another tool of Debian's, behind one protocol."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from chroots.engine.archives.dsc import Dsc
from chroots.engine.building.hooks import Hooks
from chroots.engine.journal import Journal
from chroots.engine.layers.base import Layer
from chroots.engine.layers.buildroot import Warden
from chroots.engine.spec import BuildSpec
from chroots.engine.state import State
from debatomic.tools.errors import InfrastructureError, InputError
from debatomic.tools.run import package_of, plain_environment


@dataclass(frozen=True, kw_only=True)
class Job:
    """One build under way, in the folder `work`."""

    spec: BuildSpec
    state: State
    work: Path
    journal: Journal
    hooks: Hooks
    layers: list[str] = field(default_factory=list)  # those that were used, for the result
    repositories: list[dict[str, str]] = field(default_factory=list)  # chroots.engine.layers.beside.Taken.facts

    @property
    def source(self) -> Path:
        """The folder with the source package, every file verified."""
        return self.work / "source"


@dataclass(frozen=True, kw_only=True)
class Made:
    """Where the results lie: `folder` is a path inside the tree `root`. Nothing there is to be trusted."""

    root: Path
    folder: str


class Backend(Protocol):
    """Something that builds source packages in a base."""

    @property
    def name(self) -> str:
        """As `--backend` has it."""

    @property
    def programs(self) -> tuple[str, ...]:
        """What the host needs for it, beyond what the engine needs."""

    def refusal(self, spec: BuildSpec) -> str:
        """Why it cannot do that build as asked, one sentence; empty if it can."""

    def built(self, job: Job, dsc: Dsc, base: Layer, keeper: Warden) -> AbstractContextManager[Made]:
        """Build; inside the block the results are there. The phases are sections of the journal.

        Raises: ToolError, explained as the engine's own failures are.
        """


def missing_programs(programs: Iterable[str]) -> list[str]:
    """Those of the programs that this host lacks."""
    return [name for name in programs if not shutil.which(name, path=plain_environment()["PATH"])]


def check_backend(backend: Backend, spec: BuildSpec) -> None:
    """Refuse what the backend cannot do here, before anything is done."""
    if refusal := backend.refusal(spec):
        raise InputError(refusal, hint="The backend native can.")
    if lacking := missing_programs(backend.programs):
        packages = " ".join(dict.fromkeys(package_of(name) for name in lacking))
        raise InfrastructureError(f"The backend {backend.name} needs {lacking[0]}, which this host does not have.",
                                  hint=f"Install it: apt install {packages}")  # fmt: skip
