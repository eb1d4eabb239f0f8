"""Which plugins there are: those that come with DebAtomic, and those that installed packages offer as entry points."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any

from chroots.engine.plugins.hardening import Hardening
from chroots.engine.plugins.lintian import Lintian
from chroots.engine.plugins.mounts import Mounts
from chroots.engine.plugins.plugin import Plugin
from chroots.engine.plugins.records import BuildinfoArchive, CompressLogs, PackageList, RootCache
from chroots.engine.plugins.varied import VariedEnvironment
from chroots.engine.spec import PluginUse
from debatomic.tools.errors import InputError, ToolError

GROUP = "debatomic.chroots"
SHIPPED: Mapping[str, type[Plugin]] = {
    "blhc": Hardening, "buildinfo-archive": BuildinfoArchive, "compress-logs": CompressLogs, "lintian": Lintian,
    "mounts": Mounts, "package-list": PackageList, "root-cache": RootCache,
    "varied-environment": VariedEnvironment,
}  # fmt: skip


def names() -> list[str]:
    """All plugins there are."""
    return sorted({*SHIPPED, *entry_points(group=GROUP).names})


def plugin(use: PluginUse) -> Plugin:
    """The plugin that is meant, with its options. Raises: InputError that names it."""
    try:
        made = _class(use.name)(use.options)
    except ToolError as error:
        raise InputError(f"The plugin {use.name} cannot be used: {error}", hint=error.hint) from error
    except Exception as error:
        raise InputError(f"The plugin {use.name} cannot be used: {type(error).__name__}: {error}") from error
    if not isinstance(made, Plugin):
        raise InputError(f"The plugin {use.name} is no chroots.engine.plugins.plugin.Plugin.")
    return made


def _class(name: str) -> Any:
    if name in SHIPPED:
        return SHIPPED[name]
    offered = list(entry_points(group=GROUP, name=name))
    if not offered:
        near = get_close_matches(name, names(), n=1)
        raise InputError(f"there is none of that name{f'; did you mean {near[0]}?' if near else '.'}",
                         hint=f"There are: {', '.join(names())}.")  # fmt: skip
    if len({point.value for point in offered}) > 1:
        raise InputError(f"several are called so: {', '.join(sorted(point.value for point in offered))}.")
    return offered[0].load()
