"""Kept content in a folder that the hub's processes share: one file each, in 256 sub folders."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from django.conf import settings

from debatomic.tools.errors import Kind, ToolError
from hosts.kept.place import CHUNK, DIGEST, Tick, checked, pieces, require_same, require_size

ZEROS = bytes(CHUNK)


class Folder:
    """The folder of the settings (hosts.kept.place.Place)."""

    def check(self) -> None:
        half_written()

    def path(self, sha256: str) -> Path:
        """Where this content lies, or would lie. Raises InputError for what is no SHA-256."""
        return Path(settings.ARTIFACTS) / checked(sha256)[:2] / sha256

    def size(self, sha256: str) -> int:
        return self.path(sha256).stat().st_size

    def open(self, sha256: str) -> IO[bytes]:
        return self.path(sha256).open("rb")

    def nearby(self, sha256: str) -> Path | None:
        path = self.path(sha256)
        return path if path.is_file() else None

    def link(self, sha256: str, *, media_type: str, disposition: str) -> str:
        return ""

    def renew(self, sha256: str) -> bool:
        at = self.path(sha256)
        try:
            with _alone(at.parent):
                os.utime(at)
        except FileNotFoundError:
            return False
        return True

    def put(self, source: Path, tick: Tick | None) -> tuple[str, int]:
        with source.open("rb") as file, self._incoming() as content:
            for chunk in pieces(file, tick):
                content.write(chunk)
        return content.sha256, content.size

    def receive(self, chunks: Iterable[bytes], sha256: str, *, limit: int) -> int:
        checked(sha256)
        with self._incoming() as content:
            for chunk in chunks:
                content.write(chunk)
                require_size(content.size, limit)
            require_same(content.sha256, sha256)
        return content.size

    def older(self, folder: str, moment: float) -> set[str]:
        try:
            with os.scandir(Path(settings.ARTIFACTS) / folder) as entries:
                return {entry.name for entry in entries if DIGEST.fullmatch(entry.name) and _mtime(entry) < moment}
        except FileNotFoundError:
            return set()

    def remove(self, sha256: str, before: float) -> bool:
        at = self.path(sha256)
        try:
            with _alone(at.parent):
                if at.stat().st_mtime >= before:
                    return False
                at.unlink()
        except FileNotFoundError:
            return False
        return True

    def forget_half_written(self, before: float) -> None:
        forget_half_written(before)

    @contextmanager
    def _incoming(self) -> Iterator[Incoming]:
        """Take content in; it is kept when the block ends well. Raises ToolError of kind DISK."""
        try:
            with _temporary() as temporary:
                with temporary.open("wb") as file:
                    content = Incoming(file)
                    yield content
                    content.finish()
                self._take(temporary, content.sha256)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise ToolError("The hub's disk is full: the file cannot be kept.", kind=Kind.DISK) from error

    def _take(self, temporary: Path, sha256: str) -> None:
        final = self.path(sha256)
        final.parent.mkdir(exist_ok=True)
        with _alone(final.parent):
            os.utime(temporary)
            temporary.replace(final)


class Incoming:
    """Content on its way in: written sparsely, hashed as it comes, in nobody's sight until it is whole."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self.size += len(chunk)
        if chunk == ZEROS[: len(chunk)]:
            self._file.seek(len(chunk), os.SEEK_CUR)  # a hole
        else:
            self._file.write(chunk)

    def finish(self) -> None:
        """Have it on the disk, for good."""
        self._file.flush()
        os.ftruncate(self._file.fileno(), self.size)
        os.fchmod(self._file.fileno(), 0o444)
        os.fsync(self._file.fileno())


def half_written() -> Path:
    """Where things lie on their way into the store; what a dead process left there is removed after a day."""
    folder = Path(settings.ARTIFACTS) / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def forget_half_written(before: float) -> None:
    """Remove what lies there since before this moment."""
    for path in half_written().iterdir():
        with suppress(FileNotFoundError):  # it came to its end meanwhile
            if path.stat().st_mtime < before:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def _temporary() -> Iterator[Path]:
    descriptor, name = tempfile.mkstemp(dir=half_written())
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other process adds to this sub folder or removes from it meanwhile. Raises FileNotFoundError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _mtime(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return math.inf
