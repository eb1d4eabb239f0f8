"""What apt in a buildroot may take packages from beside the base's archives, laid out for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chroots.engine.archives.fetch import Store
from chroots.engine.layers.base import Layer
from chroots.engine.layers.beside import PLACE, Beside, take
from chroots.engine.layers.dependencies import LISTS, with_lists
from chroots.engine.spec import ChrootSpec, Repository


@dataclass(frozen=True, kw_only=True)
class Around:
    """Options of apt-get, and what a buildroot must see for them; both are empty without repositories."""

    beside: Beside = field(default_factory=Beside)
    shown: Mapping[str, Path] = field(default_factory=dict)

    @property
    def options(self) -> tuple[str, ...]:
        return (*self.beside.options, *with_lists(self.shown.get(LISTS)))


def around(repositories: tuple[Repository, ...], chroot: ChrootSpec, base: Layer, store: Store, folder: Path) -> Around:
    """These repositories as they are now, below `folder`.

    Raises: InputError where one is not there or not signed with its key.
    """
    beside = take(chroot, repositories)
    if not beside.taken:
        return Around()
    beside.furnish(base.tree, folder / "repositories")
    beside.lists(base.tree, chroot, store, folder / "lists")
    return Around(beside=beside, shown={PLACE: folder / "repositories", LISTS: folder / "lists"})
