"""The files of a source package on this machine, as its .dsc names them."""

from __future__ import annotations

from pathlib import Path

from debatomic.tools.errors import InputError
from debatomic.tools.files import sha256

SECTION = "checksums-sha256:"


def files_of(dsc: Path) -> list[Path]:
    """The .dsc and the files it names, each there and as it says. Raises InputError."""
    try:
        lines = dsc.read_text(errors="replace").splitlines()
    except OSError as error:
        raise InputError(f"{dsc} cannot be read: {error.strerror}.") from None
    named = _named(lines)
    if not named:
        raise InputError(f"{dsc} names no files with SHA-256 checksums.", hint="Is it a .dsc file of dpkg-source?")
    return [dsc, *(_checked(dsc, name, digest) for name, digest in named)]


def _named(lines: list[str]) -> list[tuple[str, str]]:
    begin = next((number for number, line in enumerate(lines) if line.strip().lower() == SECTION), None)
    found = []
    for line in lines[begin + 1 :] if begin is not None else []:
        words = line.split()
        if not line.startswith(" ") or len(words) != 3:
            break
        found.append((words[2], words[0].lower()))
    return found


def _checked(dsc: Path, name: str, digest: str) -> Path:
    path = dsc.parent / name
    if "/" in name or not path.is_file():
        raise InputError(f"{dsc.name} names {name}, which is not beside it.", hint="Put it there.")
    if sha256(path) != digest:
        raise InputError(f"{path} is not the file {dsc.name} names: its SHA-256 differs.", hint="Fetch both again.")
    return path
