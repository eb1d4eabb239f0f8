"""Where a build's source package comes from: found in the archive, or uploaded and checked."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from django.conf import settings

from builds.submitting.signatures import NOT_CHECKED, Signature
from chroots.engine.archives import dsc
from chroots.engine.archives.archive import Archive
from chroots.engine.state import State
from chroots.models import Chroot
from debatomic.tools.errors import InputError
from debatomic.tools.files import sha256
from hosts.kept import store

Upload = tuple[str, IO[bytes]]
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A source package as it is frozen at submit; `files` are {name, sha256, size}, the .dsc among them."""

    name: str
    version: str
    architectures: tuple[str, ...]
    files: tuple[dict[str, Any], ...]
    signature: Signature = NOT_CHECKED
    url: str = ""  # of the git repository it was made of
    commit: str = ""


def find(name: str, version: str, chroot: Chroot, *, thorough: bool = True) -> Source:
    """The source package in the chroot's archive; if `thorough`, its mirror is asked for the files, too.

    Raises InputError (field source or version), InfrastructureError.
    """
    if not NAME.fullmatch(name):
        raise InputError(
            f"'{name}' is not the name of a source package.", hint="Give one name, as figlet.", field="source"
        )
    archive = archive_of(chroot)
    archive.refresh()
    with _about("source"):
        archive.find(name)
    with _about("version"):
        package = archive.find(name, version or None)
    if thorough:
        with _about("source"):
            archive.require_files(package)
    files = tuple({"name": file.name, "sha256": file.sha256, "size": file.size} for file in package.files)
    return Source(name=package.name, version=package.version, architectures=package.architectures, files=files)


def archive_of(chroot: Chroot) -> Archive:
    """The archive of a chroot, with the hub's own index of it."""
    return chroot.archive(State(settings.HOME / "archive"))


@contextmanager
def _about(field: str) -> Iterator[None]:
    """What is wrong in the block is wrong with this field."""
    try:
        yield
    except InputError as error:
        error.field = field
        raise


def take_upload(
    uploads: Sequence[Upload], accept: Callable[[Source], object], examine: Callable[[Path], Signature]
) -> Source:
    """Check an uploaded source package, ask `accept`, then keep its files; of one that is refused nothing is kept.

    `examine` gets the .dsc, and says what is known of its signature. Raises InputError (field files) naming the file
    that is missing, altered or too much; and what the other two raise.
    """
    with tempfile.TemporaryDirectory(prefix="upload-", dir=store.half_written()) as name:
        with _about("files"):
            described = _checked(uploads, Path(name))
        signature = examine(described.path)
        paths = [described.path, *(Path(name) / file for file in described.files)]
        files = tuple({"name": path.name, "sha256": sha256(path), "size": path.stat().st_size} for path in paths)
        source = Source(
            name=described.name, version=described.version, architectures=described.architectures, files=files,
            signature=signature,
        )  # fmt: skip
        accept(source)
        for path in paths:
            store.put(path)
    return source


def _checked(uploads: Sequence[Upload], folder: Path) -> dsc.Dsc:
    names = [os.path.basename(name) for name, _ in uploads]  # noqa: PTH119  (a name from outside, not a path of ours)
    described_by = [name for name in names if name.endswith(".dsc")]
    if len(described_by) != 1:
        raise InputError(f"{len(described_by)} of the files end in .dsc; exactly one must.",
                         hint="Choose the .dsc together with every file it lists.")  # fmt: skip
    if double := {name for name in names if names.count(name) > 1}:
        raise InputError(f"{min(double)} was given twice.")
    for name, (_, file) in zip(names, uploads, strict=True):
        if not dsc.FILE_NAME.fullmatch(name):
            raise InputError(f"'{name}' is not a plain file name.")
        with (folder / name).open("xb") as copy:
            shutil.copyfileobj(file, copy, 1 << 20)
    described = dsc.parse_dsc(folder / described_by[0])
    dsc.verify(described.files, folder, described.path.name)
    if unlisted := sorted(set(names) - set(described.files) - {described.path.name}):
        raise InputError(f"{described.path.name} does not list {unlisted[0]}.", hint="Leave that file out.")
    return described
