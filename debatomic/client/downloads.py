"""Fetch what a build, a compose or a task kept: verified, whole or not at all, going on where the network broke."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import IO, Any

from debatomic.client.hub import Hub
from debatomic.client.screen import Screen
from debatomic.tools.errors import InputError, ToolError
from debatomic.tools.files import sha256, whole

PIECE_BYTES = 16 * 1024 * 1024


def artifacts(hub: Hub, thing: str, number: int) -> list[dict[str, Any]]:
    """What there is to fetch. Raises ToolError."""
    if thing == "artifact":
        return [hub.get(f"artifacts/{number}/")]
    if thing == "task":
        hub.get(f"tasks/{number}/")
        return list(hub.listing("artifacts/", limit=10_000, task=number))
    kept: list[dict[str, Any]] = hub.get(f"{thing}s/{number}/artifacts/")
    return kept


def fetch_all(hub: Hub, found: list[dict[str, Any]], folder: Path, screen: Screen) -> list[Path]:
    """Fetch them into a folder; two of one name are told apart by their task. Raises ToolError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be used: {error.strerror}.", hint="Choose another --output.") from None
    names = Counter(one["name"] for one in found)
    paths = []
    for one in found:
        name = one["name"] if names[one["name"]] == 1 else f"{one['task']}-{one['name']}"
        paths.append(_fetch(hub, one, _inside(folder, name), screen))
    return paths


def _inside(folder: Path, name: str) -> Path:
    """The hub names files; it does not choose where they go."""
    if not name or "/" in name or "\0" in name or name in (".", ".."):
        raise ToolError(f"The hub names a file {name!r}, which is no name of a file.")
    return folder / name


def _fetch(hub: Hub, artifact: dict[str, Any], path: Path, screen: Screen) -> Path:
    if path.is_file() and path.stat().st_size == artifact["size"] and sha256(path) == artifact["sha256"]:
        screen.say(f"{path}: was there already")
        return path
    try:
        with whole(path) as file:
            _fill(hub, artifact, file, screen)
    except OSError as error:
        raise ToolError(f"{path} cannot be written: {error.strerror}.", hint="Nothing of it was kept.") from None
    screen.say(f"{path}: {size(artifact['size'])}, SHA-256 as the hub has it")
    return path


def _fill(hub: Hub, artifact: dict[str, Any], file: IO[bytes], screen: Screen) -> None:
    """Piece by piece, so that a broken connection costs at most one of them."""
    digest, there, total = hashlib.sha256(), 0, artifact["size"]
    while there < total:
        last = min(there + PIECE_BYTES, total) - 1
        headers = {"Range": f"bytes={there}-{last}", "If-Range": f'"{artifact["sha256"]}"'}
        piece = hub.content(f"artifacts/{artifact['id']}/download/", headers=headers)
        if not piece or len(piece) > total - there:
            break
        file.write(piece)
        digest.update(piece)
        there += len(piece)
        screen.state(f"{artifact['name']}: {there * 100 // total} % of {size(total)}")
    screen.close()
    if digest.hexdigest() != artifact["sha256"]:
        raise ToolError(f"{artifact['name']} arrived damaged, and nothing of it was kept.", hint="Download it again.")


def size(number: float) -> str:
    """Bytes for people: 312 B, 4.2 KiB, 1.3 GiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"
