"""How things get into the output folder: whole, under their name, or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from composes.pipeline.graph import Deliverable, Facts
from composes.pipeline.programs import checked
from debatomic.tools.files import sha256


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A path to make a file or folder at, that becomes `target` when the block ends well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        made = folder / target.name
        yield made
        if target.is_dir():
            target.rename(folder / "before")
        made.replace(target)
    finally:
        shutil.rmtree(folder)


def consoles(output: Path, gate: str) -> list[Deliverable]:
    """What a gate that said no left in the output folder: `serial-….log` and `console-….png` of its machine."""
    word = gate.removeprefix("boot-")
    found = [*output.glob(f"serial-{word}.log"), *sorted(output.glob(f"console-{word}*.png"))]
    kinds = {".log": "serial-log", ".png": "screenshot"}
    return [Deliverable(name=path.name, kind=kinds[path.suffix], path=path.name, sha256=sha256(path),
                        size=path.stat().st_size, facts={"gate": gate}) for path in found]  # fmt: skip


def copy_sparse(source: Path, target: Path) -> None:
    """A copy that shares blocks where the file system can, and keeps holes."""
    checked(["cp", "--reflink=auto", "--sparse=always", "--", os.fspath(source), os.fspath(target)])


def put_sparse(source: Path, target: Path, start: int) -> None:
    """Write what `source` holds into `target` from byte `start` on, where nothing is yet; its holes stay holes."""
    with source.open("rb") as old, target.open("r+b") as new:
        size, end = os.fstat(old.fileno()).st_size, 0
        while end < size:
            try:
                begin = os.lseek(old.fileno(), end, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # only a hole is left
                    return
                raise
            end = os.lseek(old.fileno(), begin, os.SEEK_HOLE)
            while begin < end:
                begin += os.copy_file_range(old.fileno(), new.fileno(), end - begin, begin, start + begin)


def copy_repository(source: Path, target: Path) -> None:
    """A copy of an OSTree repository; objects, which never change, are shared where one file system holds both."""
    target.mkdir()
    shared = source.stat().st_dev == target.stat().st_dev
    for path in source.iterdir():
        how = "--link" if shared and path.name == "objects" else "--reflink=auto"
        checked(["cp", "-a", how, "--", os.fspath(path), os.fspath(target)])


def delivered(
    output: Path, source: Path, name: str, *, kind: str, facts: Facts | None = None, digest: str = ""
) -> Deliverable:
    """Put the file `source` into the output folder as `name`; `digest` is its SHA-256 where that is known."""
    target = output / name
    with replacing(target) as made:
        copy_sparse(source, made)
    return Deliverable(name=name, kind=kind, path=name, sha256=digest or sha256(target), size=target.stat().st_size,
                       facts=facts or {})  # fmt: skip
