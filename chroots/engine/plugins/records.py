"""Keeps what a build is known by: its packages, its .buildinfo, its log in little space, how well layers are reused."""

from __future__ import annotations

import json
import lzma
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from chroots.engine.plugins.plugin import Context, Plugin, PluginFailed
from chroots.engine.plugins.rooms import said
from chroots.engine.state import State, locked
from debatomic.tools.files import whole, write_json

COUNTERS = "root-cache.json"
QUERY = ["dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Architecture}\\n"]


class PackageList(Plugin):
    """`packages.txt`: what is installed in the buildroot, with versions and architectures."""

    def pre_build(self, context: Context) -> None:
        assert context.root
        status, output = said(context.root, QUERY)
        if status:
            raise PluginFailed(f"dpkg-query exited with status {status}.", lines=output.splitlines()[-5:])
        context.report("packages.txt", output)


class BuildinfoArchive(Plugin):
    """Copies .buildinfo files to a folder of the host: `FOLDER/SOURCE/NAME.buildinfo`."""

    OPTIONS: ClassVar[Mapping[str, Any]] = {"folder": ""}  # empty: `buildinfo` in the state folder

    def post_build(self, context: Context) -> None:
        assert context.source
        folder = Path(self.options["folder"] or context.state.root / "buildinfo") / context.source.name
        for name in context.files:
            if name.endswith(".buildinfo"):
                with whole(folder / name) as copy, (context.output / name).open("rb") as file:
                    shutil.copyfileobj(file, copy)
                context.say(f"{name} is kept in {folder}.")


class CompressLogs(Plugin):
    """Delivers the log as `build.log.xz`."""

    OPTIONS: ClassVar[Mapping[str, Any]] = {"level": 6}

    def pre_clean(self, context: Context) -> None:
        context.pack_log = self.packed

    def packed(self, log: Path) -> Path:
        """The compressed log, in place of the log."""
        made = log.with_name(f"{log.name}.xz")
        with log.open("rb") as source, lzma.open(made, "wb", preset=self.options["level"]) as target:
            shutil.copyfileobj(source, target, 1 << 20)
        log.unlink()
        return made


class RootCache(Plugin):
    """Counts how often the layer of build dependencies was there already: `root-cache.json` in the state folder."""

    def post_deps(self, context: Context) -> None:
        what = "miss" if context.layer_made else "hit" if context.layers else "nothing to install"
        counted = count(context.state, context.spec.chroot.name, what)
        context.say(f"root cache: {what}; {', '.join(f'{number} × {name}' for name, number in counted.items())}")


def count(state: State, chroot: str, what: str) -> dict[str, int]:
    """Add one; the counters of that chroot."""
    path = state.root / COUNTERS
    with locked(state.locks / "root-cache"):
        counters: dict[str, dict[str, int]] = json.loads(path.read_text()) if path.exists() else {}
        mine = counters.setdefault(chroot, {})
        mine[what] = mine.get(what, 0) + 1
        write_json(path, counters)
    return mine
