"""What a plugin is: a class with methods called at named points of a build."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from chroots.engine.archives.dsc import FILE_NAME, Dsc
from chroots.engine.layers.base import Layer
from chroots.engine.layers.buildroot import Buildroot, Warden
from chroots.engine.spec import BuildSpec
from chroots.engine.state import State
from debatomic.tools.errors import InputError, Kind, ToolError

POINTS = ("pre_init", "post_init", "pre_deps", "post_deps", "pre_build", "post_build", "pre_clean")


class PluginFailed(ToolError):
    """What a plugin found wrong; `cause` is one of the classes of failure (docs/engine.md)."""

    def __init__(
        self, message: str, *, cause: str = "build", kind: Kind = Kind.BUILD, lines: Sequence[str] = ()
    ) -> None:
        super().__init__(message, kind=kind, lines=lines)
        self.cause = cause


@dataclass(kw_only=True)
class Context:
    """What a plugin may look at, and what it may add; more is known at the later points."""

    spec: BuildSpec
    state: State
    work: Path  # a folder of this build's own on the host, gone afterwards
    output: Path  # what is collected, the log as `build.log` among it; see `report`
    say: Callable[[str], object]  # a line for the log
    warden: Warden | None = None  # from pre_init on: what all programs of the build share
    source: Dsc | None = None  # from pre_init on
    base: Layer | None = None  # from post_init on
    layers: list[Layer] = field(default_factory=list)  # from post_deps on: those above the base
    layer_made: bool = False  # from post_deps on: whether build dependencies were installed for this build
    root: Buildroot | None = None  # at pre_build and post_build: the mounted buildroot
    files: list[str] = field(default_factory=list)  # from post_build on: the names of the results in `output`
    environment: dict[str, str] = field(default_factory=dict)  # until pre_build: more variables for the build
    read_only: dict[str, Path] = field(default_factory=dict)  # until pre_build: folders to show, by the place inside
    reports: list[str] = field(default_factory=list)
    pack_log: Callable[[Path], Path] | None = None  # what to make of the whole log: the path of its new form

    def report(self, name: str, text: str) -> None:
        """Keep a text among the results. Raises: InputError for a name that is none, or is taken."""
        path = self.output / name
        if not FILE_NAME.fullmatch(name) or path.exists():
            raise InputError(f"A report cannot be called {name!r}.")
        path.write_text(text)
        self.reports.append(name)


class Plugin:
    """Override the points that are of use; none needs to be called from there. It runs on the host, as the engine does.

    `OPTIONS` are the options it takes with their defaults, whose types count; `self.options` are the values.
    """

    OPTIONS: ClassVar[Mapping[str, Any]] = {}
    required: ClassVar[bool] = False  # whether the build fails with it, unless the definition says otherwise

    def __init__(self, options: Mapping[str, Any]) -> None:
        for name, value in options.items():
            if name not in self.OPTIONS:
                known = ", ".join(self.OPTIONS) or "none"
                raise InputError(f"The option {name} is unknown; the options are: {known}.")
            if type(value) is not type(self.OPTIONS[name]):
                wanted = type(self.OPTIONS[name]).__name__
                raise InputError(f"The option {name} must be a {wanted}, not {value!r}.")
        self.options = {**self.OPTIONS, **options}

    def pre_init(self, context: Context) -> None:
        """The source package is known; the base is about to be looked for, or made."""

    def post_init(self, context: Context) -> None:
        """The base is there."""

    def pre_deps(self, context: Context) -> None:
        """Build dependencies are about to be looked for, or installed."""

    def post_deps(self, context: Context) -> None:
        """The layer with the build dependencies is there."""

    def pre_build(self, context: Context) -> None:
        """The source package is unpacked; dpkg-buildpackage is about to start."""

    def post_build(self, context: Context) -> None:
        """It ended well, and its results are collected; they are delivered if no required plugin fails."""

    def pre_clean(self, context: Context) -> None:
        """Whatever came of it: the buildroot is gone, the rest is about to go."""
