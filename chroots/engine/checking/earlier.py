"""The packages of the version before: those that are given, or the archive's newest that are not newer than ours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from debian.debian_support import Version

from chroots.engine.archives.binaries import FILE, Binary, find_binaries, parts
from chroots.engine.archives.fetch import Store
from chroots.engine.checking.check import Bench
from debatomic.tools.files import link_or_copy

REBUILT = re.compile(r"\+b[0-9]+$")
OURS, BEFORE = "/run/made", "/run/before"  # where rooms see them


def earlier(bench: Bench) -> list[Path]:
    """Of each package we have, the one before; all in one folder. Nothing where there was none."""
    names = {parts(path.name)[0] for path in bench.packages}
    if bench.spec.before:
        found = sorted(bench.spec.before.glob("*.deb"))
        return [path for path in found if FILE.fullmatch(path.name) and path.is_file() and parts(path.name)[0] in names]
    store = Store(bench.state.files)
    known = find_binaries(bench.spec.chroot, [path.name for path in bench.packages], store)
    folder = bench.work / "earlier"
    folder.mkdir(exist_ok=True)
    chosen = [binary for path in bench.packages if (binary := newest(known[path.name], parts(path.name)[1]))]
    for binary in chosen:
        link_or_copy(store.get(binary.file), folder / binary.file.name)
    return [folder / binary.file.name for binary in chosen]


def newest(known: Sequence[Binary], ours: str) -> Binary | None:
    """The newest one that is not newer than our version (without epoch, as file names have it)."""
    fitting = [binary for binary in known if version(binary) <= Version(REBUILT.sub("", ours))]
    return max(fitting, key=version, default=None)


def version(binary: Binary) -> Version:
    """Without its epoch, and without the number of a rebuild that changed nothing (`+b1`)."""
    return Version(REBUILT.sub("", binary.version.partition(":")[2] or binary.version))


def label(packages: Sequence[Path]) -> str:
    """The versions of these packages, for people."""
    return ", ".join(sorted({parts(path.name)[1] for path in packages}))
