"""Whether packages that were built are bit for bit those of the archive, and where they are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from chroots.engine.archives.binaries import FILE, Binary, find_binaries
from chroots.engine.archives.dsc import control_fields, listed_files, verify
from chroots.engine.archives.fetch import Store
from chroots.engine.building import diffoscope
from chroots.engine.isolation.screen import visible
from chroots.engine.spec import ChrootSpec, Limits
from chroots.engine.state import State
from debatomic.tools.errors import InputError
from debatomic.tools.files import sha256
from debatomic.tools.progress import Progress
from debatomic.tools.run import Output

SHOWN_LINES = 60  # of a report, in the log


class Verdict(StrEnum):
    """What a package is, compared with the archive's of the same name, version and architecture."""

    IDENTICAL = "identical"
    DIFFERENT = "different"
    ABSENT = "absent"  # the archive has none


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One package; `reports` are the names of files beside the result."""

    name: str
    verdict: Verdict
    sha256: str
    archive_sha256: str = ""
    archive_url: str = ""
    note: str = ""
    reports: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """For people."""
        more = f" ({self.note})" if self.note else ""
        return f"{self.verdict:10}{self.name}{more}"


@dataclass(frozen=True, kw_only=True)
class ComparisonSpec:
    """Which packages (paths of `.deb` files) to compare with the archives of which chroot."""

    packages: Sequence[Path]
    chroot: ChrootSpec
    output: Path  # gets the reports
    limits: Limits = field(default_factory=lambda: diffoscope.DEFAULTS)


def packages_in(path: Path) -> list[Path]:
    """The binary packages a `.changes` file lists, or those in a folder; listed ones are verified.

    Raises: InputError where there are none, or they are not as listed.
    """
    if path.is_dir():
        lists = sorted(path.glob("*.changes"))
    else:
        lists = [path]
        path = path.parent
    for changes in lists:
        verify(listed_files(control_fields(changes), changes.name), path, changes.name)
    names = {name for changes in lists for name in listed_files(control_fields(changes), changes.name)}
    found = sorted(each for each in path.iterdir() if FILE.fullmatch(each.name) and each.is_file()
                   and not each.is_symlink() and (not lists or each.name in names))  # fmt: skip
    if not found:
        raise InputError(f"There are no binary packages in {path}.", hint="Name a folder with .deb files.")
    return found


def compare(spec: ComparisonSpec, state: State, log: Output) -> list[Compared]:
    """Compare each package; `log` gets a line for each, and the beginning of diffoscope's reports."""
    diffoscope.require_diffoscope()
    store, progress = Store(state.files), Progress(2)
    progress.phase("archive", detail=spec.chroot.suite)
    known = find_binaries(spec.chroot, [path.name for path in spec.packages], store)
    progress.phase("compare")
    made = []
    for number, path in enumerate(spec.packages):
        progress.report(number / len(spec.packages), path.name)
        found = _compared(path, known[path.name], spec, state, log)
        log(f"{visible(found.line)}\n".encode())
        made.append(found)
    return made


def _compared(path: Path, known: Sequence[Binary], spec: ComparisonSpec, state: State, log: Output) -> Compared:
    ours = sha256(path)
    same = [binary for binary in known if binary.file.name == path.name]
    if not same:
        return Compared(name=path.name, verdict=Verdict.ABSENT, sha256=ours, note=_others(known, spec.chroot.suite))
    equal = next((binary for binary in same if binary.file.sha256 == ours), None)
    theirs = (equal or same[0]).file
    told: dict[str, Any] = {"name": path.name, "sha256": ours, "archive_sha256": theirs.sha256,
                            "archive_url": theirs.url}  # fmt: skip
    if equal:
        return Compared(verdict=Verdict.IDENTICAL, **told)
    spec.output.mkdir(parents=True, exist_ok=True)
    report = diffoscope.difference(path, Store(state.files).get(theirs), spec.output, state, log, spec.limits)
    _show(report.files, log)
    return Compared(verdict=Verdict.DIFFERENT, note=report.note, reports=tuple(file.name for file in report.files),
                    **told)  # fmt: skip


def _others(known: Sequence[Binary], suite: str) -> str:
    versions = sorted({binary.version for binary in known})
    return f"{suite} has {', '.join(versions)}" if versions else f"{suite} has no such package"


def _show(files: Sequence[Path], log: Output) -> None:
    """The beginning of the text report."""
    for file in files:
        if file.suffix == ".txt":
            lines = file.read_text(errors="replace").splitlines()
            more = [f"… {len(lines) - SHOWN_LINES} more lines in {file.name}"] if len(lines) > SHOWN_LINES else []
            log("".join(f"{visible(line[:400])}\n" for line in [*lines[:SHOWN_LINES], *more]).encode())


def counts(found: Sequence[Compared]) -> dict[str, int]:
    """How many packages of each verdict."""
    return {verdict.value: sum(one.verdict == verdict for one in found) for verdict in Verdict}


def told(found: Sequence[Compared]) -> list[dict[str, Any]]:
    """For JSON."""
    return [asdict(one) for one in found]
