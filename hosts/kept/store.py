"""Kept files by content: each is stored once under its SHA-256 and never changed."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import math
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.conf import settings

from debatomic.tools.errors import InputError, Kind, ToolError
from hosts.models import Artifact, Task
from hosts.registry import KeptFile

CHUNK = 1024 * 1024
DIGEST = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"(?!\.\.?$)[^/\0-\x1f\x7f]{1,255}")
ZEROS = bytes(CHUNK)


def path(sha256: str) -> Path:
    """Where this content lies, or would lie. Raises InputError for what is no SHA-256."""
    if not DIGEST.fullmatch(sha256):
        raise InputError(f"{sha256[:80]!r} is not a SHA-256 in hex.")
    return Path(settings.ARTIFACTS) / sha256[:2] / sha256


def renew(sha256: str) -> bool:
    """Have this content kept for another day, whoever names it; False if it is not there."""
    at = path(sha256)
    try:
        with _alone(at.parent):
            os.utime(at)
    except FileNotFoundError:
        return False
    return True


def size(sha256: str) -> int:
    """Bytes of this content. Raises FileNotFoundError."""
    return path(sha256).stat().st_size


def open(sha256: str) -> IO[bytes]:
    """This content, to read. Raises FileNotFoundError."""
    return path(sha256).open("rb")


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


def half_written() -> Path:
    """Where things lie on their way into the store; what a dead process left there is removed after a day."""
    folder = Path(settings.ARTIFACTS) / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def incoming() -> Iterator[Incoming]:
    """Take content in; it is kept when the block ends well. Raises ToolError of kind DISK."""
    try:
        with _incoming() as content:
            yield content
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise ToolError("The hub's disk is full: the file cannot be kept.", kind=Kind.DISK) from error


@contextmanager
def _incoming() -> Iterator[Incoming]:
    descriptor, name = tempfile.mkstemp(dir=half_written())
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            content = Incoming(file)
            yield content
            file.flush()
            os.ftruncate(file.fileno(), content.size)
            os.fchmod(file.fileno(), 0o444)
            os.fsync(file.fileno())
        final = path(content.sha256)
        final.parent.mkdir(exist_ok=True)
        with _alone(final.parent):
            os.utime(temporary)
            temporary.replace(final)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other process adds to this sub folder or removes from it meanwhile. Raises FileNotFoundError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def older(folder: str, moment: float) -> set[str]:
    """What one of the 256 sub folders has that did not come, and was not renewed, since then (seconds of the epoch)."""
    try:
        with os.scandir(Path(settings.ARTIFACTS) / folder) as entries:
            return {entry.name for entry in entries if DIGEST.fullmatch(entry.name) and _mtime(entry) < moment}
    except FileNotFoundError:
        return set()


def _mtime(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return math.inf


def remove(sha256: str, before: float) -> bool:
    """Remove content that did not come, and was not renewed, since then; False if it did, or is gone."""
    at = path(sha256)
    try:
        with _alone(at.parent):
            if at.stat().st_mtime >= before:
                return False
            at.unlink()
    except FileNotFoundError:
        return False
    return True


def put(source: Path, *, tick: Callable[[], object] | None = None) -> tuple[str, int]:
    """Keep a copy of a file: its SHA-256 and size. `tick` is called after every MiB."""
    with source.open("rb") as file, incoming() as content:
        while chunk := file.read(CHUNK):
            content.write(chunk)
            if tick:
                tick()
    return content.sha256, content.size


def receive(chunks: Iterable[bytes], sha256: str, *, limit: int) -> int:
    """Keep what is sent, verified on arrival: its size. Raises InputError where it is not what was announced."""
    path(sha256)
    with incoming() as content:
        for chunk in chunks:
            content.write(chunk)
            if content.size > limit:
                raise InputError(f"The file is larger than the {limit} bytes this hub takes.")
        if content.sha256 != sha256:
            message = f"The file arrived with SHA-256 {content.sha256}, announced was {sha256}."
            raise InputError(message, hint="Send it again.")
    return content.size


def record(task: Task, *, name: str, kind: str, media_type: str, sha256: str) -> Artifact:
    """Make stored content an artifact of a task; one of the same name from an earlier attempt gives way.

    Raises InputError for a name that is no file name, an unknown kind, or content that is not there.
    """
    if not NAME.fullmatch(name):
        raise InputError(f"{name[:80]!r} is no name of a file.")
    if kind not in Artifact.Kind.values:
        raise InputError(f"{kind[:80]!r} is no kind of artifact.")
    try:
        length = size(sha256)
    except FileNotFoundError:
        raise InputError(f"The content of {name} is not in the store.", hint="Send it first.") from None
    artifact, _ = Artifact.objects.update_or_create(
        task=task, name=name, defaults={"kind": kind, "media_type": media_type, "sha256": sha256, "size": length}
    )
    return artifact


def keep(task: Task, file: KeptFile) -> Artifact:
    """Store a file and make it an artifact of a task."""
    sha256, _ = put(file.path)
    return record(task, name=file.name, kind=file.kind, media_type=file.media_type, sha256=sha256)
