"""Where the source package of a build comes from: the archive, or a `.dsc` with its files beside it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from chroots.engine.archives.archive import Archive
from chroots.engine.archives.dsc import Dsc, parse_dsc, require_expected, verify
from chroots.engine.spec import BuildSpec, ChrootSpec
from chroots.engine.state import State
from debatomic.tools.errors import InputError


def archive_of(chroot: ChrootSpec, state: State) -> Archive:
    """The archive a chroot is made from, as a place to get source packages."""
    return Archive(chroot.suite, state, mirror=chroot.mirror, components=chroot.components, keyring=chroot.keyring,
                   check_valid_until=chroot.check_valid_until)  # fmt: skip


def take_source(spec: BuildSpec, state: State, folder: Path, report: Callable[[float], object]) -> Dsc:
    """Put the source package into the new `folder`, every file verified, and read its `.dsc`."""
    folder.mkdir()
    path = _copied(spec, folder) if spec.is_local else _fetched(spec, state, folder, report)
    dsc = parse_dsc(path)
    verify(dsc.files, folder, path.name)
    if spec.version and dsc.version != spec.version:
        raise InputError(f"{path.name} is version {dsc.version}, not {spec.version} as asked for.")
    if spec.expect is not None:
        require_expected({path.name: path for path in folder.iterdir()}, spec.expect)
    return dsc


def _copied(spec: BuildSpec, folder: Path) -> Path:
    origin = Path(spec.source)
    dsc = parse_dsc(origin)
    verify(dsc.files, origin.parent, origin.name)
    for name in [origin.name, *dsc.files]:
        shutil.copyfile(origin.parent / name, folder / name)
    return folder / origin.name


def _fetched(spec: BuildSpec, state: State, folder: Path, report: Callable[[float], object]) -> Path:
    archive = archive_of(spec.chroot, state)
    package = archive.find(spec.source, spec.version or None)
    total = len(package.files)
    for file, path in zip(package.files, archive.download(package, lambda done: report(done / total)), strict=True):
        shutil.copyfile(path, folder / file.name)
    return folder / package.dsc.name
