"""Making a dependency layer on the nearest one there is, so that a build pays only for what it needs beyond that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chroots.engine.journal import Journal
from chroots.engine.layers import shared
from chroots.engine.layers.base import Layer
from chroots.engine.layers.buildroot import Buildroot, Warden, buildroot
from chroots.engine.layers.installed import installed_inside
from chroots.engine.layers.shared import Stack
from chroots.engine.state import State
from debatomic.tools.errors import CommandFailed, InfrastructureError, ToolError

# What nearly every package needs gets a layer of its own, on which the others stand.
SEEDS = (("debhelper",), ("debhelper", "dh-python"))
Packages = Mapping[str, int]  # bytes to fetch, by `name sha256`


class OtherPackages(ToolError):
    """On a stack, apt installed something else than it would have on the base."""


UNFIT = (CommandFailed, OtherPackages, InfrastructureError)  # or the layer went a moment ago


@dataclass(frozen=True, kw_only=True)
class Stacker:
    """Makes the layers of one build out of packages that are at hand."""

    base: Layer
    architecture: str
    state: State
    warden: Warden
    journal: Journal
    folder: Path  # to work in
    install: Callable[[Buildroot, Sequence[str]], object]  # runs apt-get with the packages in reach
    apt: Sequence[str]  # apt-get with its options, to install with
    resolve: Callable[[Sequence[str]], set[str]]  # what installing packages of these names on the base would install

    def stack(self, wanted: Packages, command: Sequence[str], *, seeded: bool = True) -> Stack:
        """A stack with exactly these packages on top of the base, which `command` installs.

        Raises: CommandFailed if it cannot be installed on the base alone either.
        """
        if below := self._below(wanted, seeded):
            count = len(shared.about(below[0].tree.parent)["packages"])
            self.journal.say(f"{count} of them are in layer {below[0].identity[:12]}.")
            try:
                return self._layer(wanted, command, below)
            except UNFIT as error:
                self.journal.say(f"They are installed without that layer: {error}")
        return self._layer(wanted, command, [], compared=False)

    def on(self, below: Stack, wanted: Packages, names: Sequence[str]) -> Stack:
        """A layer on `below` that has packages of these names, too; `wanted` is all that the stack has then.

        Raises: CommandFailed, OtherPackages if they cannot be added to what is there.
        """
        return self._layer(wanted, [*self.apt, "install", *names], below)

    def _below(self, wanted: Packages, seeded: bool) -> Stack:
        names = {package.partition("_")[0] for package in wanted}
        for seed in SEEDS if seeded else ():
            if names.issuperset(seed):
                self._sow(seed, wanted)
        return shared.nearest(self.state, self.base, wanted)

    def _sow(self, names: Sequence[str], wanted: Packages) -> None:
        """Make the layer of a seed if it is only a part of what is wanted and not there yet."""
        packages = self.resolve(names)
        if not packages or not packages < wanted.keys():
            return
        if not shared.find(self.state, shared.resolved_key(self.base, sorted(packages))):
            part = {package: wanted[package] for package in packages}
            below = shared.nearest(self.state, self.base, part)
            try:
                self.on(below, part, names)
            except UNFIT as error:
                self.journal.say(f"There is no layer with {' and '.join(names)} alone: {error}")

    def _layer(self, wanted: Packages, command: Sequence[str], below: Stack, *, compared: bool = True) -> Stack:
        def install(scratch: Path) -> None:
            at = self.folder / f"on-{below[0].identity if below else 'base'}"
            limit = self.warden.limits.disk
            with buildroot([*below, self.base], self.warden, at=at, upper=scratch, limit=limit) as root:
                self.install(root, command)
                if compared:
                    self._require_same(root, wanted)

        return shared.make(self.state, self.base, list(wanted), install, below=below, wait=lambda: self.journal.say(
            "Another build is making the same layer; waiting for it."))  # fmt: skip

    def _require_same(self, root: Buildroot, wanted: Packages) -> None:
        """What is installed must be what was on the base and what is wanted; nothing else, and nothing gone."""
        expected = installed_inside(self.base.tree) | versions(wanted, self.architecture)
        found = installed_inside(root.root)
        if other := sorted(expected.items() ^ found.items()):
            name, version = other[0]
            raise OtherPackages(f"apt chose otherwise there ({name} {version}).")


def versions(packages: Iterable[str], architecture: str) -> dict[str, str]:
    """Versions by package, as `installed` names them, of files of packages (`name_version_architecture.deb sha256`)."""
    found = {}
    for package in packages:
        name, version, kind = package.partition(" ")[0].removesuffix(".deb").split("_")
        foreign = "" if kind in ("all", architecture) else f":{kind}"
        found[f"{name}{foreign}"] = version.replace("%3a", ":")
    return found
