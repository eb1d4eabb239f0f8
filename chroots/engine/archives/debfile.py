"""Package files read without unpacking them: what they say of themselves, and which files are in them."""

from __future__ import annotations

import gzip
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

import zstandard
from debian.arfile import ArError, ArFile

from debatomic.tools.errors import InputError

UNPACK: dict[str, Callable[[Any], Any]] = {
    "": lambda member: member, ".xz": lzma.LZMAFile, ".gz": lambda member: gzip.GzipFile(fileobj=member),
    ".zst": lambda member: zstandard.ZstdDecompressor().stream_reader(member),
}  # fmt: skip
DAMAGED = (OSError, EOFError, ArError, tarfile.TarError, lzma.LZMAError, zlib.error, zstandard.ZstdError)
CONTROL_BYTES = 1 << 20
UNPACKED_BYTES = 8 << 30  # of one package: what comes later in it is not looked for
FILES_AT_MOST = 500_000
PATH_BYTES = 4096  # longer ones no system has
PATHS_BYTES = 64 << 20  # of all of them


def control(deb: Path) -> str:
    """Its control file. Raises InputError for what is no package."""
    with _reading(deb) as file, tarfile.open(fileobj=part(file, "control.tar"), mode="r|") as tar:
        for member in tar:
            if member.name.removeprefix("./") == "control" and member.isfile() and (found := tar.extractfile(member)):
                return found.read(CONTROL_BYTES).decode(errors="replace")
    raise InputError(f"{deb.name} has no control file.")


def files(deb: Path) -> list[str]:
    """Paths of what it brings that is no folder, without a leading slash. Raises InputError for what is no package."""
    found, size = [], 0
    with _reading(deb) as file, tarfile.open(fileobj=part(file, "data.tar"), mode="r|") as tar:
        for member in tar:
            if not member.isdir() and len(member.name) <= PATH_BYTES:
                found.append(member.name.removeprefix("./"))
                size += len(member.name)
            if len(found) >= FILES_AT_MOST or size > PATHS_BYTES or member.offset > UNPACKED_BYTES:
                break
    return sorted(path for path in found if path.isprintable())


def part(file: BinaryIO, name: str) -> IO[bytes]:
    """A package's `control.tar` or `data.tar`, unpacked. Raises: ArError."""
    for member in ArFile(fileobj=file).getmembers():
        begin, found, ending = str(member.name).partition(name)
        if found and not begin and ending in UNPACK:
            unpacked: IO[bytes] = UNPACK[ending](member)
            return unpacked
    raise ArError(f"there is no {name} in it")


@contextmanager
def _reading(deb: Path) -> Iterator[BinaryIO]:
    try:
        with deb.open("rb") as file:
            yield file
    except DAMAGED as error:
        raise InputError(f"{deb.name} is no package file: {error}") from error
