"""Which packages share a layer: as few bytes as possible change from one version to the next.

Packages of one source change together, so they stay together. What an earlier image had stays where it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from composes.pipeline.container.content import OWN_LAYERS

RESERVED = 8  # layers a new image leaves for packages that later versions add
ALONE = 0.6  # of the layers hold one source only: the largest
Layer = tuple[str, ...]  # names of packages, sorted


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One package (or one of `OWN_LAYERS`): `group` is its source package, `size` its bytes."""

    name: str
    group: str
    size: int


def plan(pieces: Sequence[Piece], before: Sequence[Layer], limit: int) -> list[Layer]:
    """The layers, at most `limit`, given those of the image `before` (none: from nothing)."""
    packages = [piece for piece in pieces if piece.name not in OWN_LAYERS]
    own = [(name,) for name in OWN_LAYERS if any(piece.name == name for piece in pieces)]
    kept = [layer for layer in before if not set(layer) & set(OWN_LAYERS)]
    most = limit - len(own)
    laid = _continued(packages, kept, most) if kept and len(kept) <= most else _anew(packages, most)
    return [*(tuple(sorted(layer)) for layer in laid if layer), *own]


def _anew(packages: Sequence[Piece], most: int) -> list[list[str]]:
    """The largest sources alone; the others, the largest first, each to the smallest layer."""
    groups: dict[str, list[Piece]] = {}
    for piece in packages:
        groups.setdefault(piece.group, []).append(piece)
    sizes = {name: sum(piece.size for piece in members) for name, members in groups.items()}
    order = sorted(groups, key=lambda name: (-sizes[name], name))
    room = max(1, most - RESERVED)
    alone = len(order) if len(order) <= room else int(room * ALONE)
    layers = [[piece.name for piece in groups[name]] for name in order[:alone]]
    return [*layers, *_levelled(order[alone:], groups, sizes, room - alone)]


def _levelled(
    names: Sequence[str], groups: Mapping[str, Sequence[Piece]], sizes: Mapping[str, int], count: int
) -> list[list[str]]:
    layers: list[list[str]] = [[] for _ in range(count)]
    filled = [0] * count
    for name in names:
        smallest = min(range(count), key=lambda number: (filled[number], number))
        layers[smallest] += [piece.name for piece in groups[name]]
        filled[smallest] += sizes[name]
    return layers


def _continued(packages: Sequence[Piece], before: Sequence[Layer], most: int) -> list[list[str]]:
    """Everything where it was; a package that is new goes with its source, or to a layer of what is new."""
    place = {name: number for number, layer in enumerate(before) for name in layer}
    home: dict[str, int] = {}
    for piece in packages:
        if piece.name in place:
            home.setdefault(piece.group, place[piece.name])
    fresh = len(before) if len(before) < most else len(before) - 1
    layers: list[list[str]] = [[] for _ in range(max(fresh + 1, len(before)))]
    for piece in packages:
        layers[place.get(piece.name, home.get(piece.group, fresh))].append(piece.name)
    return layers
