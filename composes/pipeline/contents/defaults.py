"""The defaults in /etc that a system comes with, and what differs between two of them."""

from __future__ import annotations

import difflib
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

TEXT_BYTES = 32 << 10  # of a file whose text is kept; of others only the digest
SHOWN_LINES = 200  # of one file's difference
CACHES = ("ld.so.cache", "ssl/certs/ca-certificates.crt")  # made of other files


@dataclass(frozen=True, kw_only=True)
class Default:
    """A file or link in /etc: `mode` and `target` (of a link), the digest of its content and, where anyone may read
    it, its text."""

    mode: int
    sha256: str = ""
    target: str = ""
    text: str | None = None


@dataclass(frozen=True, kw_only=True)
class Edit:
    """What became of a file in /etc: `kind` is added, removed or changed; `lines` are a unified diff where the text of
    both is known."""

    path: str
    kind: str
    lines: tuple[str, ...] = ()


def read(etc: Path) -> dict[str, Default]:
    """What is below `etc`, by path relative to it. Texts that not everybody may read are not kept."""
    found = {}
    for top, folders, names in os.walk(etc):
        for name in (*folders, *names):
            path = Path(top, name)
            if not path.is_dir() or path.is_symlink():
                found[path.relative_to(etc).as_posix()] = _default(path, str(path.relative_to(etc)))
    return {path: found[path] for path in sorted(found)}


def _default(path: Path, name: str) -> Default:
    status = path.lstat()
    mode = stat.S_IMODE(status.st_mode)
    if path.is_symlink():
        return Default(mode=mode, target=path.readlink().as_posix())
    if not path.is_file():
        return Default(mode=mode)
    content = path.read_bytes()
    return Default(mode=mode, sha256=hashlib.sha256(content).hexdigest(),
                   text=_text(content) if mode & stat.S_IROTH and name not in CACHES else None)  # fmt: skip


def _text(content: bytes) -> str | None:
    if len(content) > TEXT_BYTES or b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def edits(old: Mapping[str, Default], new: Mapping[str, Default]) -> Iterator[Edit]:
    """What differs, by path; what is made of other files says nothing of its own."""
    for path in sorted(old.keys() | new.keys()):
        before, after = old.get(path), new.get(path)
        if before == after or path in CACHES:
            continue
        kind = "added" if before is None else "removed" if after is None else "changed"
        yield Edit(path=path, kind=kind, lines=tuple(_lines(path, before, after)))


def _lines(path: str, before: Default | None, after: Default | None) -> Iterator[str]:
    if before and after:
        if before.mode != after.mode:
            yield f"mode {before.mode:o} → {after.mode:o}"
        if before.target != after.target:
            yield f"link to {before.target or 'nothing'} → {after.target or 'nothing'}"
        if before.text is not None and after.text is not None:
            yield from _diff(path, before.text, after.text)


def _diff(path: str, before: str, after: str) -> Iterator[str]:
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), path, path, n=2, lineterm=""))[2:]
    yield from lines[:SHOWN_LINES]
    if len(lines) > SHOWN_LINES:
        yield f"… and {len(lines) - SHOWN_LINES} lines more"
