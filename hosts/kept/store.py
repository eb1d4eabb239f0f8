"""Kept files by content: each is stored once under its SHA-256 and never changed, in a folder or in S3-compatible
storage (hosts.kept.folder, hosts.kept.bucket), as the settings say."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import IO, cast

from django.conf import settings
from django.utils.module_loading import import_string

from debatomic.tools.errors import InfrastructureError, InputError
from debatomic.tools.files import whole
from hosts.kept.folder import Folder, half_written
from hosts.kept.place import CHUNK, DIGEST, Place, Tick, pieces
from hosts.models import Artifact, Task
from hosts.registry import KeptFile

__all__ = ["CHUNK", "DIGEST", "check", "copy_to", "forget_half_written", "half_written", "has", "keep", "link",
           "nearby", "older", "open", "path", "pieces", "put", "receive", "record", "remove", "renew",
           "size"]  # fmt: skip
NAME = re.compile(r"(?!\.\.?$)[^/\0-\x1f\x7f]{1,255}")


def place() -> Place:
    """Where content lies. What S3 needs is loaded only where the settings ask for it."""
    return cast(Place, import_string(settings.ARTIFACTS_PLACE)())


def check() -> None:
    """Find out whether the store can be used. Raises InfrastructureError."""
    place().check()


def path(sha256: str) -> Path:
    """Where this content lies, or would lie, in the folder. Raises InputError for what is no SHA-256."""
    return Folder().path(sha256)


def renew(sha256: str) -> bool:
    """Have this content kept for another day, whoever names it; False if it is not there."""
    return place().renew(sha256)


def size(sha256: str) -> int:
    """Bytes of this content. Raises FileNotFoundError."""
    return place().size(sha256)


def has(sha256: str) -> bool:
    """Whether this content is there."""
    try:
        return size(sha256) >= 0
    except FileNotFoundError:
        return False


def open(sha256: str) -> IO[bytes]:
    """This content, to read and to seek in. Raises FileNotFoundError."""
    return place().open(sha256)


def link(sha256: str, *, media_type: str, disposition: str) -> str:
    """An address elsewhere that gives it, for some minutes; empty where we serve it. Raises FileNotFoundError."""
    return place().link(sha256, media_type=media_type, disposition=disposition)


def nearby(sha256: str, copy: Path) -> Path:
    """This content as a file of this machine: the store's own, else `copy`, made now. Raises FileNotFoundError."""
    if found := place().nearby(sha256):
        return found
    copy_to(sha256, copy)
    return copy


def copy_to(sha256: str, to: Path, tick: Tick | None = None) -> None:
    """Make a file of this content, verified, whole or not at all. Raises FileNotFoundError, InfrastructureError."""
    digest = hashlib.sha256()
    with open(sha256) as file, whole(to) as copy:
        for chunk in pieces(file, tick):
            digest.update(chunk)
            copy.write(chunk)
        if digest.hexdigest() != sha256:
            raise InfrastructureError(f"The store has other content than {sha256} under that name.")


def older(folder: str, moment: float) -> set[str]:
    """What one of the 256 sub folders has that did not come, and was not renewed, since then (seconds of the epoch)."""
    return place().older(folder, moment)


def remove(sha256: str, before: float) -> bool:
    """Remove content that did not come, and was not renewed, since then; False if it did, or is gone."""
    return place().remove(sha256, before)


def forget_half_written(before: float) -> None:
    """Remove what processes that died before then left on its way into the store."""
    place().forget_half_written(before)


def put(source: Path, *, tick: Tick | None = None) -> tuple[str, int]:
    """Keep a copy of a file: its SHA-256 and size. `tick` is called after every MiB."""
    return place().put(source, tick)


def add(file: IO[bytes]) -> tuple[str, int]:
    """Keep what is left to read of an open file that can be sought in: its SHA-256 and size."""
    first, digest = file.tell(), hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    size = file.tell() - first
    file.seek(first)
    place().receive(iter(lambda: file.read(CHUNK), b""), digest.hexdigest(), limit=size)
    return digest.hexdigest(), size


def receive(chunks: Iterable[bytes], sha256: str, *, limit: int) -> int:
    """Keep what is sent, verified on arrival: its size. Raises InputError where it is not what was announced."""
    return place().receive(chunks, sha256, limit=limit)


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
