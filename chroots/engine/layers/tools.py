"""Layers with tools in them, such as lintian: made once for a base, like those of build dependencies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chroots.engine.archives.fetch import RemoteFile, Store
from chroots.engine.layers import shared
from chroots.engine.layers.around import Around
from chroots.engine.layers.base import Layer
from chroots.engine.layers.buildroot import Warden, buildroot
from chroots.engine.layers.dependencies import ARCHIVES, apt_get, parse_uris
from chroots.engine.layers.shared import Stack
from chroots.engine.spec import ChrootSpec
from chroots.engine.state import State
from debatomic.tools.errors import CommandFailed, Kind, ToolError
from debatomic.tools.files import link_or_copy

SPACE = 4 << 30  # bytes that installing tools may write


ARCHIVES_ALONE = Around()


def tool_layers(
    names: Sequence[str], base: Layer, chroot: ChrootSpec, state: State, warden: Warden, folder: Path,
    *, around: Around = ARCHIVES_ALONE,
) -> Stack:  # fmt: skip
    """The layer with these packages installed; none if the base has them. `folder` is to work in.

    Raises: ToolError of kind DEP_WAIT where neither the chroot's archives nor what is around have them.
    """
    quick = shared.tools_key(base, names, around.beside.digests)
    if (stored := shared.known(state, quick)) is not None:
        return stored
    try:
        debs = _resolved(names, base, chroot, warden, folder, around)
        made = _installed(names, debs, base, state, warden, folder, around) if debs else []
    except CommandFailed as error:
        lines = [line.removeprefix("E: ") for line in error.tail.splitlines() if line.startswith("E: ")]
        raise ToolError(f"{', '.join(names)} cannot be installed in {chroot.name}: {lines[0] if lines else error}",
                        kind=Kind.DEP_WAIT, lines=lines) from error  # fmt: skip
    shared.remember(state, quick, made)
    return made


def _resolved(
    names: Sequence[str], base: Layer, chroot: ChrootSpec, warden: Warden, folder: Path, around: Around
) -> list[RemoteFile]:
    with buildroot([base], warden, at=folder / "resolve", upper=folder / "resolve-upper") as root:
        command = [*apt_get(*around.options, "--print-uris"), "install", *names]
        output = root.run(command, capture=True, read_only=around.shown).stdout
    return [around.beside.located(each) for each in parse_uris(output, chroot.repositories)]


def _installed(
    names: Sequence[str], debs: list[RemoteFile], base: Layer, state: State, warden: Warden, folder: Path,
    around: Around,
) -> Stack:  # fmt: skip
    packages = [f"{deb.name} {deb.sha256}" for deb in debs]
    if found := shared.find(state, shared.resolved_key(base, packages)):
        return found
    archives = folder / "archives"
    (archives / "partial").mkdir(parents=True)
    for deb, path in zip(debs, Store(state.files).get_all(debs), strict=True):
        link_or_copy(path, archives / deb.name)

    def install(scratch: Path) -> None:
        limit = max(SPACE, warden.limits.disk)  # a tool is not the build's
        with buildroot([base], warden, at=folder / "install", upper=scratch, limit=limit) as root:
            root.run([*apt_get(*around.options, "--no-download"), "install", *names],
                     read_only={**around.shown, ARCHIVES: archives},
                     scratch=[f"{ARCHIVES}/partial"])  # fmt: skip

    return shared.make(state, base, packages, install)
