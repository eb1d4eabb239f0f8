"""What a chain is asked to be, as lines or as files, and what its source packages say of themselves."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from builds import sources
from builds.architectures import plan
from builds.chains.ordering import Member
from builds.sources import Source, Upload
from builds.submitting import policy, signatures
from chroots.engine.archives.dsc import control_fields, listed_files, parse_dsc
from chroots.engine.state import State
from chroots.models import Chroot
from debatomic.tools.errors import InputError
from hosts.kept import store

if TYPE_CHECKING:
    from builds.models import Build, Target

LINE = re.compile(r"(?P<name>[^\s<]+)(?:\s+(?P<version>[^\s<]+))?(?:\s+<(?P<profiles>[^<>]+)>)?")
PROFILE = re.compile(r"[a-z0-9][a-z0-9.+-]*")
MOST = 200  # builds of a chain


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One line: a source package of the archive or among the files, its version or the newest, its build profiles."""

    name: str
    version: str = ""
    profiles: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Found:
    """A source package with where it is from (builds.models.Build.Origin), and as the order sees it."""

    source: Source
    origin: str
    member: Member
    again: Build | None = None  # the build whose files these are


def asked(text: str) -> list[Asked]:
    """`NAME [VERSION] [<PROFILE …>]` in each line. Raises InputError (field sources) with the line that is wrong."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                found.append(_line(line.strip()))
            except InputError as error:
                raise InputError(f"Line {number}: {error}", field="sources") from error
    return found


def _line(text: str) -> Asked:
    match = LINE.fullmatch(text)
    if not match:
        raise InputError(f"“{text:.80}” is not NAME, NAME VERSION or NAME VERSION <PROFILE>.")
    profiles = tuple((match["profiles"] or "").split())
    if wrong := [each for each in profiles if not PROFILE.fullmatch(each)]:
        raise InputError(f"“{wrong[0]:.40}” is no name of a build profile, such as nocheck.")
    return Asked(name=match["name"], version=match["version"] or "", profiles=profiles)


def find(wanted: Sequence[Asked], uploads: Sequence[Upload], target: Target, chroots: Sequence[Chroot]) -> list[Found]:
    """All source packages of a chain, each found and checked.

    Raises InputError (field sources or files) naming the one that is wrong; InfrastructureError without the archive.
    """
    groups = _groups(uploads)
    if not wanted and not groups:
        raise InputError("Name source packages, one in each line, or give their files.", field="sources")
    if len({*(each.name for each in wanted), *groups}) > MOST:
        raise InputError(f"A chain has at most {MOST} builds.", field="sources")
    architectures = [chroot.architecture for chroot in chroots]
    profiles = {each.name: each.profiles for each in wanted}
    found = [_uploaded(target, files, profiles.get(name, ()), architectures) for name, files in groups.items()]
    for each in wanted:
        if each.name not in groups:
            with _about(each.name):
                found.append(_of_archive(target, each, chroots[0], architectures))
    return found


@contextmanager
def _about(name: str) -> Iterator[None]:
    """What is wrong in the block is wrong with this source package."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{name}: {error}", hint=error.hint, field="sources") from error


def _groups(uploads: Sequence[Upload]) -> dict[str, list[Upload]]:
    """Uploaded files by source package: each .dsc with the files it lists."""
    by_name: dict[str, Upload] = {}
    for name, file in uploads:
        plain = os.path.basename(name)  # noqa: PTH119  (a name from outside, not a path of ours)
        if plain in by_name:
            raise InputError(f"{plain} was given twice.", field="files")
        by_name[plain] = (plain, file)
    described = {name: _listed(upload) for name, upload in by_name.items() if name.endswith(".dsc")}
    if unlisted := sorted(set(by_name) - set(described) - {file for _, files in described.values() for file in files}):
        raise InputError(f"No .dsc lists {unlisted[0]}.", hint="Leave that file out.", field="files")
    groups: dict[str, list[Upload]] = {}
    for name, (source, files) in described.items():
        if source in groups:
            raise InputError(f"{source} is in the chain twice.", field="files")
        groups[source] = [by_name[name], *(by_name[file] for file in files if file in by_name)]
    return groups


def _listed(upload: Upload) -> tuple[str, list[str]]:
    """A .dsc's source package and the files it lists."""
    name, file = upload
    with tempfile.TemporaryDirectory(prefix="chain-") as folder:
        path = Path(folder, "given.dsc")
        path.write_bytes(file.read(4 << 20))
        file.seek(0)
        try:
            fields = control_fields(path)
            return fields.get("Source", name), list(listed_files(fields, name))
        except InputError as error:
            raise InputError(str(error).replace(path.name, name), field="files") from error


def _uploaded(
    target: Target, files: Sequence[Upload], profiles: tuple[str, ...], architectures: Sequence[str]
) -> Found:
    def accept(taken: sources.Source) -> None:
        plan(taken.architectures, architectures)
        policy.require_first(target, taken.name, taken.version, field="files")

    source = sources.take_upload(files, accept, partial(signatures.examine, target))
    dsc = next(file["sha256"] for file in source.files if file["name"].endswith(".dsc"))
    with tempfile.TemporaryDirectory(prefix="chain-") as folder:
        path = Path(folder, f"{source.name}.dsc")
        store.copy_to(dsc, path)
        return Found(source=source, origin="upload", member=_member(path, profiles, architectures))


def _of_archive(target: Target, wanted: Asked, chroot: Chroot, architectures: Sequence[str]) -> Found:
    source = sources.find(wanted.name, wanted.version, chroot)
    policy.require_first(target, source.name, source.version, field="sources")
    archive = chroot.archive(State(settings.HOME / "archive"))
    path = archive.store.get(archive.find(source.name, source.version).dsc)
    return Found(source=source, origin="archive", member=_member(path, wanted.profiles, architectures))


def _member(path: Path, profiles: tuple[str, ...], architectures: Sequence[str]) -> Member:
    dsc = parse_dsc(path)
    return Member(dsc=dsc, binaries=binaries(path), planned=plan(dsc.architectures, architectures), profiles=profiles)


def binaries(path: Path) -> frozenset[str]:
    """The binary packages that a .dsc says its source makes."""
    fields = control_fields(path)
    listed = (line.split() for line in fields.get("Package-List", "").splitlines())
    return frozenset([*_names(fields.get("Binary", "")), *(words[0] for words in listed if words)])


def _names(text: str) -> Iterable[str]:
    return text.replace(",", " ").split()
