"""Calls plugins at the points of a build, and says of each what became of it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from chroots.engine.building.failure import OF_KINDS, BuildFailed, Cause
from chroots.engine.isolation.screen import visible
from chroots.engine.plugins.found import plugin
from chroots.engine.plugins.plugin import Context, Plugin, PluginFailed
from chroots.engine.spec import BuildSpec, PluginUse
from debatomic.tools.errors import Canceled, Kind, ToolError


@dataclass(kw_only=True)
class Told:
    """What is told of a plugin in `result.json`."""

    name: str
    required: bool
    ok: bool = True
    reason: str = ""
    seconds: float = 0.0


def wanted(spec: BuildSpec) -> list[PluginUse]:
    """The plugins of the chroot and of the build, whose word counts."""
    return list({use.name: use for use in (*spec.chroot.plugins, *spec.plugins)}.values())


class Hooks:
    """The plugins of one build, in their order; `told` is filled as they are called."""

    def __init__(self, uses: Sequence[PluginUse], context: Context) -> None:
        self.context = context
        self.told: list[Told] = []
        self._plugins: list[tuple[Plugin, Told]] = []
        for use in uses:
            made = plugin(use)
            told = Told(name=use.name, required=made.required if use.required is None else use.required)
            self.told.append(told)
            self._plugins.append((made, told))

    def call(self, point: str) -> None:
        """Call those that have something to do at this point.

        Raises: BuildFailed, which names the plugin, if a required one fails; Canceled.
        """
        for made, told in self._plugins:
            if getattr(type(made), point) is not getattr(Plugin, point):
                self._call(made, told, point)

    def _call(self, made: Plugin, told: Told, point: str) -> None:
        self.context.say(f"== PLUGIN {told.name} ({point})")
        started = time.monotonic()
        try:
            getattr(made, point)(self.context)
        except Canceled:
            raise
        except Exception as error:  # noqa: BLE001 - it is somebody else's program
            self._failed(told, error)
        finally:
            seconds = time.monotonic() - started
            told.seconds = round(told.seconds + seconds, 3)
            self.context.say(f"== PLUGIN {told.name}: {seconds:.3f} s")

    def _failed(self, told: Told, error: Exception) -> None:
        if not isinstance(error, ToolError):
            self.context.say("".join(traceback.format_exception(error)).rstrip())
            error = ToolError(f"{type(error).__name__}: {error}", kind=Kind.INTERNAL)
        told.ok, told.reason = False, visible(error.sentence)
        for line in error.lines:
            self.context.say(visible(line))
        self.context.say(f"The plugin {told.name} failed: {told.reason}")
        if told.required:
            raise BuildFailed(f"The plugin {told.name} failed: {error}", cause=_cause(error), kind=error.kind,
                              lines=error.lines) from error  # fmt: skip

    @contextmanager
    def cleaned(self) -> Iterator[None]:
        """Call `pre_clean` after the block, whatever comes of it; what went wrong first is what is told."""
        try:
            yield
        except BaseException:
            try:
                self.call("pre_clean")
            except ToolError:
                pass  # it is in `told`
            raise
        self.call("pre_clean")


def _cause(error: ToolError) -> Cause:
    return Cause(error.cause) if isinstance(error, PluginFailed) else OF_KINDS.get(error.kind, Cause.BUILD)
