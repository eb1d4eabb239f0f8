"""What a repository is, and what of it changes: data from whoever asks for it, checked as it is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from debatomic.tools.errors import InputError

WORD = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9+.~_-]*")
POOLED = re.compile(r"pool(/[a-zA-Z0-9+~_][a-zA-Z0-9+.~_:%-]*)+")
SNAPSHOT = re.compile(r"\d{8}T\d{6}Z")
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Spec:
    """The repository's own words, as its Release file says them."""

    suite: str
    codename: str
    origin: str
    label: str
    description: str = ""
    architectures: tuple[str, ...]  # without `all`, whose packages are in each
    components: tuple[str, ...] = ("main",)
    valid_days: int = 0  # until clients refuse it; 0: no end
    automatic: bool = True  # whether clients upgrade from it by themselves
    pdiffs: bool = False  # whether clients can fetch what changed in Packages and Sources
    snapshots: str = ""  # an address with @SNAPSHOTID@ in it

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Spec:
        """Raises InputError, field named, for what no Release file can say."""
        known = {each.name for each in fields(cls)}
        if unknown := sorted(set(said) - known):
            raise InputError(f"A repository has no {unknown[0]!r}.", field=unknown[0])
        words: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in said.items()
        }
        spec = cls(**words)
        for name in ("suite", "codename"):
            if not WORD.fullmatch(getattr(spec, name)):
                raise InputError(f"{getattr(spec, name)!r} is no {name}.", field=name)
        for name in ("origin", "label", "description", "snapshots"):
            if any(ord(character) < 32 for character in getattr(spec, name)):
                raise InputError(f"The {name} of a repository is one line.", field=name)
        for name in ("architectures", "components"):
            if wrong := [each for each in getattr(spec, name) if not WORD.fullmatch(each)]:
                raise InputError(f"{wrong[0]!r} is none of the {name}.", field=name)
        return spec


@dataclass(frozen=True, kw_only=True)
class File:
    """A file of the pool: its path beneath the repository, its content, and where to take it from."""

    path: str
    sha256: str

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> File:
        """Raises InputError for what is none."""
        file = cls(path=pooled(str(said["path"])), sha256=str(said["sha256"]))
        if not SHA256.fullmatch(file.sha256):
            raise InputError(f"{file.path[:200]!r} has no SHA-256.")
        return file


def pooled(path: str) -> str:
    """The path, beneath the repository, of a file of the pool. Raises InputError for what is none."""
    if not POOLED.fullmatch(path):
        raise InputError(f"{path[:200]!r} is no file of a pool.")
    return path
