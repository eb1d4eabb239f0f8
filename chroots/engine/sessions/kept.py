"""Writable layers people asked to keep: what they did in a chroot goes on where they left it."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chroots.engine.layers import base as bases
from chroots.engine.layers.base import KEPT_ABOUT, Layer
from chroots.engine.spec import ChrootSpec
from chroots.engine.state import State, discard, locked_now, remove_tree, temporary
from debatomic.tools.errors import InputError
from debatomic.tools.files import write_json
from debatomic.tools.run import Output, run

NAME = re.compile(r"[a-z0-9][a-z0-9.+-]*")
SESSION = "session"  # there while somebody works in it: which boot of the host that was
BOOT = Path("/proc/sys/kernel/random/boot_id")
# What the jail mounts over must be what it seems to be: a link left there would lead out of the tree.
PLAIN = ("dev", "etc", "etc/resolv.conf", "proc", "run", "sys", "tmp")


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A kept layer: `upper` has its changes to the base it was begun on."""

    chroot: str
    name: str
    base: str  # the base's folder, below the state's `bases`
    made_at: float
    used_at: float
    upper: Path

    def stands_on(self, state: State) -> Layer:
        """The base below it."""
        base = bases.stored(state.bases / self.base)
        if base is None:
            raise InputError(f"The base that {self.name} of {self.chroot} stands on is gone, so it cannot be used.",
                             hint=f"Remove it: {remedy(self.chroot, self.name)}")  # fmt: skip
        return base


def remedy(chroot: str, name: str) -> str:
    """The command that removes a kept layer."""
    return f"python -m chroots.engine clean {chroot} --keep {name}"


def checked(name: str) -> str:
    """The name of a kept layer, if it can be one."""
    if not NAME.fullmatch(name):
        raise InputError(f"'{name}' cannot name a kept layer: use small letters, digits and any of . + -")
    return name


def found(state: State, chroot: str = "*") -> list[Kept]:
    """The kept layers of a chroot, or of all."""
    layers = []
    for about in sorted(state.kept.glob(f"{chroot}/[!.]*/{KEPT_ABOUT}")):
        with suppress(FileNotFoundError):  # removed a moment ago
            layers.append(_read(about.parent))
    return layers


def _read(folder: Path) -> Kept:
    about: dict[str, Any] = json.loads((folder / KEPT_ABOUT).read_text())
    return Kept(chroot=folder.parent.name, name=folder.name, base=about["base"], made_at=about["made_at"],
                used_at=(folder / KEPT_ABOUT).stat().st_mtime, upper=folder)  # fmt: skip


@contextmanager
def opened(spec: ChrootSpec, name: str, state: State, log: Output, *, make: bool = True) -> Iterator[Kept]:
    """The kept layer `name` of a chroot for ourselves alone; where `make` is set it is begun if it is not there."""
    folder = state.kept / spec.name / checked(name)
    with _alone(state, spec.name, name):
        if not (folder / KEPT_ABOUT).exists():
            if not make:
                known = ", ".join(layer.name for layer in found(state, spec.name)) or "none"
                raise InputError(f"{spec.name} has no kept layer '{name}'.", hint=f"There are: {known}.")
            _begin(folder, bases.ensure(spec, state, log), state)
        with _session(folder):
            yield _read(folder)


@contextmanager
def _alone(state: State, chroot: str, name: str) -> Iterator[None]:
    state.locks.mkdir(parents=True, exist_ok=True)
    with locked_now(state.locks / f"kept-{chroot}-{name}") as ours:
        if not ours:
            raise InputError(f"Another command works in {name} of {chroot} right now.", hint="Try again when it ended.")
        yield


def _begin(folder: Path, base: Layer, state: State) -> None:
    """An empty layer; its base is locked meanwhile, so that it does not go before it is known to be needed."""
    with base.used(), temporary(folder.parent) as scratch:
        (scratch / "layer").mkdir()
        about = {"base": str(base.tree.parent.relative_to(state.bases)), "made_at": time.time()}
        write_json(scratch / "layer" / KEPT_ABOUT, about)
        (scratch / "layer").rename(folder)


@contextmanager
def _session(folder: Path) -> Iterator[None]:
    """Its overlay never waits for the disk; so what was written is synced in the end, and a lost end is noticed."""
    session, boot = folder / SESSION, BOOT.read_text()
    if session.exists() and session.read_text() != boot:
        raise InputError(f"The host went down while {folder.name} of {folder.parent.name} was in use: its files may "
                         "be incomplete.", hint=f"Remove it: {remedy(folder.parent.name, folder.name)}")  # fmt: skip
    _require_plain(folder / "changes")
    remove_tree(folder / "scratch")  # has the mark of the overlay before us
    session.write_text(boot)
    try:
        yield
    finally:
        run(["sync", "--file-system", os.fspath(folder)])
        session.unlink()
        os.utime(folder / KEPT_ABOUT)


def _require_plain(changes: Path) -> None:
    for name in PLAIN:
        if (changes / name).is_symlink():
            raise InputError(f"In this kept layer /{name} has been replaced by a link, so nothing is run in it.",
                             hint="Remove the layer with the command clean.")  # fmt: skip


def remove(kept: Kept, state: State) -> bool:
    """Remove a kept layer unless somebody works in it; whether it went."""
    with locked_now(state.locks / f"kept-{kept.chroot}-{kept.name}") as unused:
        if unused and kept.upper.exists():
            discard(kept.upper)
        return unused
