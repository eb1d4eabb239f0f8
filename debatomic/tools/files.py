"""Files that are whole or absent: digests and atomic writes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def whole(path: Path, mode: int = 0o644, *, lasting: bool = True) -> Iterator[IO[bytes]]:
    """A file to write that takes its name only when the block ends well; otherwise nothing is left.

    One that need not outlast a crash of the machine (`lasting` false) is not waited for until it is on the disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(fd, "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode)
            if lasting:
                os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def link_or_copy(source: Path, target: Path) -> None:
    """A second name for a file; on another file system, a copy of it."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copyfile(source, target)


def write_json(path: Path, content: Any) -> None:
    """Write JSON for people and programs, whole or not at all."""
    with whole(path) as file:
        file.write(json.dumps(content, indent=2, sort_keys=True, default=str).encode() + b"\n")
