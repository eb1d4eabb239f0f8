"""Dependency layers: what installing a set of build dependencies changed, kept for whoever needs the same set.

A layer stands on a base, or on other layers that have some of its packages: then it has only the rest. Its key is the
digest of the base and of all packages of its stack, so that it does not matter how they came to be installed.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from chroots.engine.archives.dsc import Dsc
from chroots.engine.layers.base import Layer
from chroots.engine.layers.reproducible import tree_digest
from chroots.engine.layers.sealing import seal
from chroots.engine.spec import BuildSpec
from chroots.engine.state import State, directory_size, discard, locked, taken, temporary
from debatomic.tools.files import whole, write_json

ABOUT = "layer.json"
CHECKED = "checked"  # during which boot of the host its files were last known to be what they should be
BOOT = Path("/proc/sys/kernel/random/boot_id")
QUICK = "quick"
LAYERS_AT_MOST = 8  # in a stack: each one makes looking up files a little slower
Stack = list[Layer]  # topmost first, without the base


def quick_key(base: Layer, dsc: Dsc, spec: BuildSpec, beside: Sequence[str] = ()) -> str:
    """Equal keys need the same packages: the base's identity covers what the archive had to choose from, and `beside`
    are the digests of the build's own repositories.
    """
    parts = [base.identity, spec.host_architecture, spec.build_type, *sorted(spec.profiles)]
    parts += ["with ccache"] if spec.ccache else []
    parts += ["beside", *beside] if beside else []
    return digest_of(json.dumps([parts, sorted(dsc.build_fields.items())]))


def tools_key(base: Layer, names: Sequence[str], beside: Sequence[str] = ()) -> str:
    """As `quick_key`, for packages by their names."""
    return digest_of(json.dumps(["tools", base.identity, *names, *(["beside", *beside] if beside else [])]))


def resolved_key(base: Layer, packages: Sequence[str]) -> str:
    """The key of a layer: the base and the very packages (`name sha256`) installed on it."""
    return digest_of("\n".join([base.identity, *sorted(packages)]))


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def known(state: State, quick: str) -> Stack | None:
    """What was found for this quick key before: the stack, or nothing to install; None if that is not known (now)."""
    try:
        key = (state.layers / QUICK / quick).read_text()
    except FileNotFoundError:
        return None
    return find(state, key) if key else []


def remember(state: State, quick: str, stack: Stack) -> None:
    with whole(state.layers / QUICK / quick) as file:
        file.write(stack[0].identity.encode() if stack else b"")


def find(state: State, key: str) -> Stack | None:
    """The layer of that key with those it stands on; looking it up counts as use of all of them."""
    try:
        keys = [key, *about(state.layers / key)["below"]]
        for folder in (state.layers / each for each in keys):
            os.utime(folder / ABOUT)
            if not _is_whole(folder):
                return None
    except (FileNotFoundError, KeyError):
        return None
    return [Layer(identity=each, tree=state.layers / each / "tree") for each in keys]


def about(folder: Path) -> dict[str, Any]:
    """What is known about the layer in `folder`. Raises: FileNotFoundError."""
    told: dict[str, Any] = json.loads((folder / ABOUT).read_text())
    return told


def _is_whole(folder: Path) -> bool:
    """Whether its files are what they were: nothing waits for the disk, so a host that goes down may lose some."""
    boot, mark = BOOT.read_text(), folder / CHECKED
    if mark.exists() and mark.read_text() == boot:
        return True
    if tree_digest(folder / "tree") != about(folder).get("digest"):
        return False
    with whole(mark) as file:
        file.write(boot.encode())
    return True


def nearest(state: State, base: Layer, wanted: Mapping[str, int]) -> Stack:
    """The stack that has most of the `wanted` packages (bytes by `name sha256`) and no other; empty if none has any."""
    fitting = [(sum(wanted[each] for each in told["packages"]), folder.name) for folder, told in all_of(state)
               if told["base"] == base.identity and told["packages"] and wanted.keys() >= set(told["packages"])
               and len(told["below"]) + 1 < LAYERS_AT_MOST]  # fmt: skip
    stacks = (find(state, key) for _, key in sorted(fitting, reverse=True))
    return next((stack for stack in stacks if stack), [])


def make(
    state: State,
    base: Layer,
    packages: Sequence[str],
    install: Callable[[Path], object],
    *,
    below: Stack | None = None,
    wait: Callable[[], object] = lambda: None,
) -> Stack:
    """Let `install` fill a folder's `changes` and keep them as the layer that has `packages` (`name sha256`).

    `below` is what it stands on; `packages` are those of the whole stack. Two processes make it once: `wait` is called
    if another one is at it.
    """
    key = resolved_key(base, packages)
    with ExitStack() as held:
        lock = state.locks / f"layer-{key}"
        if not taken(held, lock):
            wait()
            held.enter_context(locked(lock))
        if stack := find(state, key):
            return stack
        for layer in below or ():
            held.enter_context(layer.used())  # nobody removes it before it is known that we stand on it
        with temporary(state.layers) as scratch:
            install(scratch)
            _keep(scratch, state.layers / key, {"base": base.identity, "packages": sorted(packages),
                                                "below": [layer.identity for layer in below or ()]})  # fmt: skip
    return [Layer(identity=key, tree=state.layers / key / "tree"), *(below or ())]


def _keep(scratch: Path, place: Path, told: dict[str, Any]) -> None:
    """Make a layer of what was installed: in its place it is whole, as its digest will show after a crash."""
    folder = scratch / "layer"
    folder.mkdir()
    seal(scratch / "changes")
    tree = (scratch / "changes").rename(folder / "tree")
    write_json(folder / ABOUT, {**told, "made_at": time.time(), "bytes": directory_size(tree),
                                "digest": tree_digest(tree)})  # fmt: skip
    (folder / CHECKED).write_text(BOOT.read_text())
    if place.exists():  # not whole, or on something that is gone
        discard(place)
    folder.rename(place)


def on(state: State, base: Layer) -> list[dict[str, Any]]:
    """The layers that stand on a base: key, packages (names), below (keys), bytes (its own), made_at, used_at."""
    shown = ("below", "bytes", "made_at", "used_at")
    return [{"key": folder.name, "packages": [package.partition(" ")[0] for package in told["packages"]],
             **{name: told[name] for name in shown}}
            for folder, told in all_of(state) if told["base"] == base.identity]  # fmt: skip


def all_of(state: State) -> list[tuple[Path, dict[str, Any]]]:
    """The folders of all layers, and what is known about each (`used_at`: seconds since 1970)."""
    found = []
    for path in sorted(state.layers.glob(f"[!.]*/{ABOUT}")):
        with suppress(FileNotFoundError):  # removed a moment ago
            told = {"below": [], **about(path.parent)}
            found.append((path.parent, {**told, "used_at": path.stat().st_mtime}))
    return found
