"""What a check is: a name, what it needs, and a function that looks at packages and says what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from chroots.engine.archives.binaries import FILE
from chroots.engine.archives.dsc import FILE_NAME
from chroots.engine.archives.fetch import Store
from chroots.engine.binnmu import BinNmu
from chroots.engine.checking.kinds import is_debugging
from chroots.engine.isolation.screen import visible
from chroots.engine.layers.around import Around, around
from chroots.engine.layers.base import Layer
from chroots.engine.layers.buildroot import Buildroot, Warden
from chroots.engine.layers.tools import ARCHIVES_ALONE, tool_layers
from chroots.engine.plugins.rooms import over
from chroots.engine.spec import ChrootSpec, Limits, Repository
from chroots.engine.state import State
from debatomic.tools.errors import InputError

SHOWN = 12  # decisive lines
LONGEST = 300  # characters of a line
DEFAULTS = Limits(time_limit=2 * 3600.0, idle_limit=1800.0, disk=4 << 30)


class Verdict(StrEnum):
    """What a check found; that it could not look is an error, not a verdict of the package."""

    PASS = "pass"  # noqa: S105 - no password
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"  # there was nothing to look at, or nothing that can be looked at here
    ERROR = "error"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The verdict, one sentence, the lines that decided it, and facts for programs."""

    verdict: Verdict
    summary: str
    lines: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def told(self) -> dict[str, Any]:
        """For JSON, with nothing in it that moves a cursor."""
        decisive = [visible(line)[:LONGEST] for line in self.lines[:SHOWN]]
        return {"verdict": str(self.verdict), "summary": visible(self.summary)[:LONGEST], "decisive": decisive,
                "facts": dict(self.facts)}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CheckSpec:
    """What to check: a folder with what a build made, and the chroot it was made in."""

    check: str
    folder: Path  # packages (.deb), .changes, .buildinfo, build.log, source package: what there is of them
    chroot: ChrootSpec
    output: Path  # gets result.json and the reports
    before: Path | None = None  # a folder with the packages of the version before; None: the archive's
    source: str = ""  # the source package's name or .dsc, for checks that need it; empty: the .dsc in `folder`
    version: str = ""
    binnmu: BinNmu | None = None  # what was checked is a binary rebuild
    expect: Mapping[str, str] | None = None  # SHA-256 of the source package's files
    profiles: tuple[str, ...] = ()  # that the packages were built with
    nocheck: bool = False  # likewise
    repositories: tuple[Repository, ...] = ()  # likewise, beside the chroot's archives
    limits: Limits = field(default_factory=lambda: DEFAULTS)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where a check works; everything of the package's is opened in rooms only."""

    spec: CheckSpec
    state: State
    base: Layer
    warden: Warden
    work: Path
    output: Path
    say: Callable[[str], object]
    reports: list[str] = field(default_factory=list)

    @property
    def packages(self) -> list[Path]:
        """The binary packages to look at: neither debugging symbols nor the installer's."""
        return [path for path in self.files(".deb") if FILE.fullmatch(path.name) and not is_debugging(path)]

    def files(self, suffix: str) -> list[Path]:
        """Plain files of this kind."""
        found = self.spec.folder.iterdir()
        return sorted(path for path in found if path.name.endswith(suffix) and path.is_file() and not path.is_symlink())

    @cached_property
    def around(self) -> Around:
        """What the packages' dependencies may come from; tools come from the chroot's archives alone."""
        store = Store(self.state.files)
        return around(self.spec.repositories, self.spec.chroot, self.base, store, self._folder("around"))

    def layers(self, *packages: str, around: Around = ARCHIVES_ALONE) -> list[Layer]:
        """The base, with the layer that has these packages of the archives on top of it."""
        if not packages:
            return [self.base]
        made = tool_layers(packages, self.base, self.spec.chroot, self.state, self.warden, self._folder("tools"),
                           around=around)  # fmt: skip
        return [*made, self.base]

    @contextmanager
    def room(self, *packages: str, layers: Sequence[Layer] = ()) -> Iterator[Buildroot]:
        """A fresh buildroot with these packages of the archive, or over these layers."""
        with over(layers or self.layers(*packages), self.warden, self._folder("room")) as root:
            yield root

    def report(self, name: str, text: str) -> None:
        """Keep a text among the results. Raises: InputError for a name that is none, or is taken."""
        path = self.output / name
        if not FILE_NAME.fullmatch(name) or name in self.reports:
            raise InputError(f"A report cannot be called {name!r}.")
        path.write_text(text)
        self.reports.append(name)

    def _folder(self, name: str) -> Path:
        folder = self.work / f"{name}-{sum(1 for _ in self.work.iterdir())}"
        folder.mkdir()
        return folder


Run = Callable[[Bench], Finding]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check as tables have it; `needs`: log, source, before, siblings (packages of other hosts)."""

    name: str
    title: str
    help: str  # one line for people
    run: Run
    needs: frozenset[str] = frozenset()
