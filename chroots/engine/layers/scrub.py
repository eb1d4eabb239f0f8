"""Making room by hand: bases, dependency layers and downloads, all of which can be made again."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from chroots.engine.archives.fetch import Store
from chroots.engine.layers import base, ccache, expiry, shared
from chroots.engine.spec import ChrootSpec
from chroots.engine.state import State, directory_size, locked, remove_tree


class Part(StrEnum):
    """What can be removed."""

    BASES = "bases"
    LAYERS = "layers"
    DOWNLOADS = "downloads"
    CCACHE = "ccache"


@dataclass(kw_only=True)
class Freed:
    """What went, by part; bytes; and what stayed because it is in use, each with its reason."""

    counts: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    stayed: list[str] = field(default_factory=list)

    def add(self, part: Part, size: int) -> None:
        self.counts[part] = self.counts.get(part, 0) + 1
        self.bytes += size


def scrub(state: State, spec: ChrootSpec | None, parts: set[Part]) -> Freed:
    """Remove these parts of one chroot, or of all where `spec` is None. Downloads belong to all, so only with all."""
    freed = Freed()
    homes = [state.bases / spec.key] if spec else sorted(path for path in state.bases.glob("*") if path.is_dir())
    identities = {layer.identity for home in homes for folder in base.folders(home) if (layer := base.stored(folder))}
    if Part.LAYERS in parts:
        _layers(state, identities if spec else None, freed)
    if Part.BASES in parts:
        for home in homes:
            _bases(state, home, freed)
    if Part.CCACHE in parts:
        _caches(state, [home.name for home in homes] if spec else ["*"], freed)
    if Part.DOWNLOADS in parts and not spec:
        _downloads(state, freed)
    return freed


def _layers(state: State, identities: set[str] | None, freed: Freed) -> None:
    for folder, about in expiry.deepest_first(shared.all_of(state)):
        if identities is None or about["base"] in identities:
            if expiry.remove(folder):
                freed.add(Part.LAYERS, about["bytes"])
            else:
                freed.stayed.append(f"layer {folder.name[:12]} is in use")


def _bases(state: State, home: Path, freed: Freed) -> None:
    with locked(state.locks / f"base-{home.name}"):
        for folder in base.folders(home):
            size = directory_size(folder)
            if base.remove(folder, state):
                freed.add(Part.BASES, size)
            else:
                kept = ", ".join(base.kept_on(folder, state))
                freed.stayed.append(f"base {folder.name} is {f'below the kept layers {kept}' if kept else 'in use'}")


def _caches(state: State, chroots: list[str], freed: Freed) -> None:
    for chroot in chroots:
        for folder in [tree.parent for tree in state.ccache.glob(f"{chroot}/*/[0-9]*/tree")]:
            size = directory_size(folder)
            if ccache.remove(folder):
                freed.add(Part.CCACHE, size)
            else:
                freed.stayed.append(f"compiler cache of {folder.parent.name} is in use")


def _downloads(state: State, freed: Freed) -> None:
    for size in Store(state.files).remove_all():
        freed.add(Part.DOWNLOADS, size)
    if state.archive.is_dir():
        freed.bytes += directory_size(state.archive)
        remove_tree(state.archive)
