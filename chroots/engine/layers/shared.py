"""Dependency layers: what installing a set of build dependencies on a base changed, kept for the next build."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from chroots.engine.archives.dsc import Dsc
from chroots.engine.layers.base import ABOUT as BASE_ABOUT
from chroots.engine.layers.base import Layer
from chroots.engine.layers.sealing import seal
from chroots.engine.spec import BuildSpec
from chroots.engine.state import LOCK, State, directory_size, discard, locked, locked_now, temporary
from debatomic.tools.files import whole, write_json
from debatomic.tools.run import run

ABOUT = "layer.json"
BYTES_KEPT = 20 << 30


def quick_key(base: Layer, dsc: Dsc, spec: BuildSpec) -> str:
    """Equal keys need the same packages: the base's identity covers what the archive had to choose from."""
    parts = [base.identity, spec.chroot.architecture, spec.build_type, *sorted(spec.profiles)]
    return _digest(json.dumps([parts, sorted(dsc.build_fields.items())]))


def tools_key(base: Layer, names: Sequence[str]) -> str:
    """As `quick_key`, for packages by their names."""
    return _digest(json.dumps(["tools", base.identity, *names]))


def resolved_key(base: Layer, digests: Sequence[str]) -> str:
    """The key of a layer: the base and the very packages installed on it."""
    return _digest("\n".join([base.identity, *sorted(digests)]))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def known(state: State, quick: str) -> list[Layer] | None:
    """What was found for this quick key before: the layer, or nothing to install; None if that is not known (now)."""
    try:
        key = (state.layers / "quick" / quick).read_text()
    except FileNotFoundError:
        return None
    if not key:
        return []
    return [layer] if (layer := find(state, key)) else None


def remember(state: State, quick: str, layers: Sequence[Layer]) -> None:
    with whole(state.layers / "quick" / quick) as file:
        file.write("".join(layer.identity for layer in layers).encode())


def find(state: State, key: str) -> Layer | None:
    """The layer of that key; looking it up counts as use."""
    folder = state.layers / key
    try:
        os.utime(folder / ABOUT)
    except FileNotFoundError:
        return None
    return Layer(identity=key, tree=folder / "tree")


def make(state: State, key: str, base: Layer, packages: Sequence[str], install: Callable[[Path], object]) -> Layer:
    """Let `install` fill a folder's `changes` and keep them as the layer `key`; two processes make it once."""
    with locked(state.locks / f"layer-{key}"):
        if layer := find(state, key):
            return layer
        with temporary(state.layers) as scratch:
            install(scratch)
            folder = scratch / "layer"
            folder.mkdir()
            seal(scratch / "changes")
            (scratch / "changes").rename(folder / "tree")
            write_json(folder / ABOUT, {"base": base.identity, "packages": sorted(packages), "made_at": time.time(),
                                        "bytes": directory_size(folder / "tree")})  # fmt: skip
            run(["sync", "--file-system", os.fspath(folder)])
            folder.rename(state.layers / key)
    return Layer(identity=key, tree=state.layers / key / "tree")


def on(state: State, base: Layer) -> list[dict[str, Any]]:
    """The layers that stand on a base: key, packages (names), bytes, made_at, used_at."""
    return [{"key": folder.name, "packages": about["packages"], "bytes": about["bytes"], "made_at": about["made_at"],
             "used_at": about["used_at"]}
            for folder, about in all_of(state) if about["base"] == base.identity]  # fmt: skip


def all_of(state: State) -> list[tuple[Path, dict[str, Any]]]:
    """The folders of all layers, and what is known about each (`used_at`: seconds since 1970)."""
    found = []
    for about in sorted(state.layers.glob(f"[!.]*/{ABOUT}")):
        with suppress(FileNotFoundError):  # removed a moment ago
            found.append((about.parent, {**json.loads(about.read_text()), "used_at": about.stat().st_mtime}))
    return found


def evict(state: State, *, keep: int = BYTES_KEPT) -> list[str]:
    """Remove layers: those whose base is gone, then those used longest ago until at most `keep` bytes are left.

    Layers in use stay. Returns the names of those that went.
    """
    removed = []
    bases = {json.loads(about.read_text())["identity"] for about in state.bases.glob(f"*/*/{BASE_ABOUT}")}
    found = [(about["used_at"], folder, about) for folder, about in all_of(state)]
    total = sum(about["bytes"] for _, _, about in found)
    for _, folder, about in sorted(found, key=lambda layer: (layer[2]["base"] in bases, layer[0])):
        if total <= keep and about["base"] in bases:
            break
        if remove(folder):
            total -= about["bytes"]
            removed.append(folder.name)
    return removed


def remove(folder: Path) -> bool:
    """Remove a layer that nobody uses; whether it went."""
    with suppress(FileNotFoundError), locked_now(folder / LOCK) as unused:
        if unused:
            discard(folder)
        return unused
    return True  # somebody else was faster
