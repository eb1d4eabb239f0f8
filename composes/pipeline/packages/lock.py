"""The lock: exactly which packages a compose is made of. It makes composes comparable and repeatable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from debatomic.tools.errors import InputError
from debatomic.tools.files import write_json

FORMAT = 1
_HEX = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_WORD = {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9.+:~_-]*\Z"}
_SCHEMA = {
    "type": "object",
    "required": ["format", "suite", "architecture", "debian_version", "date", "packages", "releases"],
    "properties": {
        "format": {"const": FORMAT},
        "suite": _WORD,
        "architecture": _WORD,
        "debian_version": {"type": "string"},
        "date": {"type": "integer", "minimum": 0},
        "releases": {"type": "object", "additionalProperties": _HEX},
        "packages": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "version", "architecture", "sha256", "size", "uri", "origin", "source"],
                "properties": {
                    "name": _WORD, "version": _WORD, "architecture": _WORD, "sha256": _HEX,
                    "size": {"type": "integer", "minimum": 1},
                    "uri": {"type": "string", "pattern": r"^(https?|file|treefile):/[!-~]+\Z"},
                    "origin": {"type": "string"}, "source": {"type": "string"},
                },
            },
        },
    },
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, order=True)
class Package:
    """One binary package: `origin` is the repository's name in the treefile, `source` its source package."""

    name: str
    architecture: str
    version: str
    sha256: str
    size: int
    uri: str
    origin: str
    source: str

    @property
    def file_name(self) -> str:
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"


@dataclass(frozen=True, kw_only=True)
class Lock:
    """`date` is the newest of the archives' own dates, in seconds since 1970: it becomes SOURCE_DATE_EPOCH.

    `releases` maps a repository's name to the SHA-256 of its InRelease file.
    """

    suite: str
    architecture: str
    debian_version: str
    date: int
    packages: tuple[Package, ...]
    releases: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Names the content; where the files were fetched from does not matter."""
        content = [[each.name, each.version, each.architecture, each.sha256] for each in sorted(self.packages)]
        key = [self.suite, self.architecture, self.debian_version, self.date, content]
        return hashlib.sha256(json.dumps(key).encode()).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(each.size for each in self.packages)

    def as_json(self) -> dict[str, Any]:
        packages = [asdict(each) for each in sorted(self.packages)]
        return {**asdict(self), "format": FORMAT, "digest": self.digest, "packages": packages}

    def write(self, path: Path) -> None:
        write_json(path, self.as_json())


def read(path: Path) -> Lock:
    """A lock from its file. Raises InputError."""
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise InputError(f"There is no lock file {path}.") from error
    except ValueError as error:
        raise InputError(f"{path} is not a lock: it is not JSON ({error}).") from error
    if fault := next(iter(Draft202012Validator(_SCHEMA).iter_errors(content)), None):
        where = "/".join(map(str, fault.absolute_path)) or "its top"
        raise InputError(f"{path} is not a lock of this version: at {where}: {fault.message:.200}.")
    names = ("suite", "architecture", "debian_version", "date", "releases")
    lock = Lock(packages=tuple(Package(**each) for each in content["packages"]), **{n: content[n] for n in names})
    _without_doubles(lock, path)
    return lock


def _without_doubles(lock: Lock, path: Path) -> None:
    seen: set[str] = set()
    for package in lock.packages:
        if package.name in seen:
            raise InputError(f"{path} is not a usable lock: it holds {package.name} twice.")
        seen.add(package.name)


def check_fits(lock: Lock, suite: str, architecture: str) -> None:
    """Raises InputError if the lock was made for another suite or architecture."""
    for word, has, wanted in (("suite", lock.suite, suite), ("architecture", lock.architecture, architecture)):
        if has != wanted:
            raise InputError(f"The lock is for {word} {has}, the treefile for {wanted}.", hint="Make a new lock.")
