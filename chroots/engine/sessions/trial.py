"""Trying something in a fresh buildroot: packages and files in, a script, files and the difference out."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from chroots.engine.building.build import ran_out
from chroots.engine.building.failure import OF_KINDS, Cause
from chroots.engine.isolation.screen import visible
from chroots.engine.journal import Journal
from chroots.engine.layers import base as bases
from chroots.engine.layers.base import Layer
from chroots.engine.layers.buildroot import Buildroot, Warden, buildroot, group_name, warden
from chroots.engine.layers.overlay import is_limited, limited_space, total_memory
from chroots.engine.sessions.bundle import bundled
from chroots.engine.sessions.copy_in import copy_in
from chroots.engine.sessions.copy_out import copy_out
from chroots.engine.sessions.difference import Difference, difference
from chroots.engine.sessions.installing import install
from chroots.engine.spec import BUILDER_UID, ChrootSpec, Limits
from chroots.engine.state import State, remember, remove_tree, temporary
from debatomic.tools.errors import CommandFailed, InputError, Kind, ToolError
from debatomic.tools.files import write_json
from debatomic.tools.limits import planned
from debatomic.tools.progress import Progress
from debatomic.tools.run import Output

PHASES = ("base", "install", "copy-in", "run", "difference", "copy-out")
LOG, RESULT, DIFFERENCE = "try.log", "result.json", "difference.json"
OWN_NAMES = {LOG, RESULT, DIFFERENCE}
SHELL = ("/bin/sh", "-exc")
USERS = {"root": 0, "builder": BUILDER_UID}
MOST_FILES = 300_000  # in the tree, to be compared
MOST_COPIED = 2 << 30  # bytes copied out
MOST_TOLD = 10_000  # paths in the difference, and packages
LONGEST_PATH = 400  # characters of one of them


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What to try: every step is left out where there is nothing for it."""

    chroot: ChrootSpec
    output: Path
    packages: tuple[str, ...] = ()
    recommends: bool = False
    files: tuple[Path, ...] = ()  # of this host, to be copied in
    place: str = "/build"  # where they go, and the script begins
    script: str = ""  # lines of a shell
    user: str = "builder"  # of USERS
    network: bool = False  # the host's, for the script alone
    wanted: tuple[str, ...] = ()  # paths to copy out
    limits: Limits = field(default_factory=Limits)


@dataclass(kw_only=True)
class Told:
    """What became of a trial; `result.json` has it. `status` is the script's own: none, where there is none."""

    ok: bool = False
    reason: str = ""
    kind: str = ""
    cause: str = ""  # "class" in result.json
    decisive: list[str] = field(default_factory=list)
    chroot: str = ""
    base: dict[str, Any] = field(default_factory=dict)
    installed: list[str] = field(default_factory=list)  # files of packages
    status: int | None = None
    changes: dict[str, int] = field(default_factory=dict)  # counts of the difference
    files: list[dict[str, Any]] = field(default_factory=list)  # name, path, left_out
    missing: list[str] = field(default_factory=list)  # wanted paths that are not there
    phases: list[dict[str, str | float]] = field(default_factory=list)
    seconds: float = 0.0


def attempt(trial: Trial, state: State, echo: Output = lambda chunk: None) -> Told:
    """Try it; the output folder gets what was copied out, `difference.json`, `try.log` and, last, `result.json`.

    What fails is told; only Canceled and faults of the engine itself are raised, and noted in `result.json` as well.
    """
    told = Told(chroot=trial.chroot.name)
    started = time.monotonic()
    trial.output.mkdir(parents=True, exist_ok=True)
    (trial.output / RESULT).unlink(missing_ok=True)
    with (trial.output / LOG).open("wb") as file:
        journal = Journal(file, PHASES, echo=echo, progress=Progress(len(PHASES)), limit=trial.limits.log,
                          what="script")  # fmt: skip
        try:
            with temporary(state.work) as work:
                _try(trial, state, work, journal, told)
            told.ok = True
        except Exception as error:
            _fail(told, error, journal)
            if not isinstance(error, (ToolError, OSError)) or told.kind == Kind.CANCELED:
                raise
        finally:
            told.phases = [{"name": name, "seconds": seconds} for name, seconds in journal.seconds]
            told.seconds = round(time.monotonic() - started, 3)
            result = asdict(told)
            write_json(trial.output / RESULT, result | {"class": result.pop("cause")})
    return told


def _try(trial: Trial, state: State, work: Path, journal: Journal, told: Told) -> None:
    copies = trial.output / f".debatomic-{work.name.strip('.')}"
    remember(work, [copies, *planned(group_name(work))])
    memory = trial.limits.memory or total_memory() * 3 // 4
    copies.mkdir()
    try:
        with warden(work, group_name(work), trial.limits, memory, journal, what="script") as keeper:
            with journal.phase("base", trial.chroot.name):
                base = bases.ensure(trial.chroot, state, journal)
                told.base = bases.facts(base)
            with _writable(trial, base, work, keeper) as root:
                _prepare(trial, root, state, work, journal, told)
                _run(trial, root, journal, told)
                _take(trial, root, base, copies, journal, told)
    finally:
        remove_tree(copies)


@contextmanager
def _writable(trial: Trial, base: Layer, work: Path, keeper: Warden) -> Iterator[Buildroot]:
    limits = trial.limits
    with limited_space(work, limits.disk, keeper.group.memory, keeper.log, trial.chroot.tmpfs) as space:
        limit = None if is_limited(space) else limits.disk
        with buildroot([base], keeper, at=work / "root", upper=space, limit=limit) as root:
            yield root


def _prepare(trial: Trial, root: Buildroot, state: State, work: Path, journal: Journal, told: Told) -> None:
    """Packages and files go in."""
    if trial.packages:
        with journal.phase("install", " ".join(trial.packages)):
            told.installed = install(root, trial.packages, state, work, recommends=trial.recommends,
                                     repositories=trial.chroot.repositories)  # fmt: skip
    if trial.files:
        with journal.phase("copy-in", trial.place):
            count = copy_in(root.root, trial.files, f"{trial.place.rstrip('/')}/", owner=USERS[trial.user])
            journal.say(f"{count} files.")


def _run(trial: Trial, root: Buildroot, journal: Journal, told: Told) -> None:
    if not trial.script:
        return
    environment = {"HOME": "/root" if trial.user == "root" else "/build", "USER": trial.user, "LOGNAME": trial.user}
    with journal.phase("run", f"as {trial.user}{', with the network' if trial.network else ''}"):
        try:
            root.run([*SHELL, trial.script], user=USERS[trial.user], folder=trial.place, environment=environment,
                     network=trial.network)  # fmt: skip
            told.status = 0
        except CommandFailed as error:
            told.status = _status(error, root)
        journal.say(f"The script ended with status {told.status}.")


def _status(error: CommandFailed, root: Buildroot) -> int:
    """The script's own status. Raises ToolError where a limit, or a signal, ended it."""
    keeper = root.warden
    if kills := keeper.group.memory_kills():
        raise ToolError(f"The script ran out of memory at {keeper.group.memory >> 20} MiB: the kernel killed {kills} "
                        "of its processes.", kind=Kind.KILLED) from error  # fmt: skip
    if ran_out(root.root, keeper):
        raise ToolError(f"The script filled its disk limit of {keeper.limits.disk >> 20} MiB.",
                        kind=Kind.DISK) from error  # fmt: skip
    return error.returncode


def _take(trial: Trial, root: Buildroot, base: Layer, copies: Path, journal: Journal, told: Told) -> None:
    """What changed, and what was asked for, comes out; nothing runs in the tree any more."""
    with journal.phase("difference"):
        found = difference(base.tree, root.root, most=MOST_FILES)
        told.changes = {"added": len(found.added), "changed": len(found.changed), "removed": len(found.removed),
                        "packages": len(found.packages.lines())}  # fmt: skip
        write_json(copies / DIFFERENCE, shown(found))
        journal.say(", ".join(f"{count} {word}" for word, count in told.changes.items()))
    if trial.wanted:
        with journal.phase("copy-out"):
            _copy_out(trial, root.root, copies, journal, told)
    for made in copies.iterdir():
        made.rename(trial.output / made.name)


def _copy_out(trial: Trial, tree: Path, copies: Path, journal: Journal, told: Told) -> None:
    left, taken = MOST_COPIED, set(OWN_NAMES)
    for number, path in enumerate(dict.fromkeys(trial.wanted)):
        place = copies / f".{number}"
        try:
            copied = copy_out(tree, path, place, limit=left)
        except InputError as error:
            told.missing.append(path)
            journal.say(str(error))
            continue
        left = copied.limit
        name = bundled(place, PurePosixPath(path).name, taken, copies)
        taken.add(name)
        told.files.append({"name": name, "path": path, "left_out": [visible(_text(one)) for one in copied.left_out]})
        journal.say(f"{path}: {copied.files} files, as {name}")


def shown(found: Difference) -> dict[str, Any]:
    """A difference as `difference.json` has it: readable paths, at most so many; `untold` counts the others."""
    told: dict[str, Any] = {}
    room, count = MOST_TOLD, 0
    for word in ("added", "changed", "removed"):
        paths = getattr(found, word)
        count += len(paths)
        told[word] = [visible(_text(path)) for path in paths[:room] if len(path) <= LONGEST_PATH]
        room -= len(told[word])
    told["untold"] = count - sum(len(paths) for paths in told.values())
    return {**told, "packages": {word: _few(told) for word, told in asdict(found.packages).items()}}


def _few(told: Mapping[str, Any]) -> dict[str, Any]:
    """What somebody may have written to dpkg's list, at most so much of it."""
    short = {name: what for name, what in told.items() if len(f"{name}{what}") <= LONGEST_PATH}
    return {visible(name): what for name, what in islice(short.items(), MOST_TOLD)}


def _text(path: str) -> str:
    """A path that may have bytes which are no text."""
    return os.fsencode(path).decode(errors="replace")


def _fail(told: Told, error: Exception, journal: Journal) -> None:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        error = ToolError(f"The disk of this host is full ({error.filename or 'no file named'}).", kind=Kind.DISK,
                          hint="Free some space below the state folder, then retry.")  # fmt: skip
    if isinstance(error, ToolError):
        told.reason, told.kind = visible(error.sentence), error.kind
        told.decisive = [visible(line) for line in error.lines]
    else:
        told.reason, told.kind = f"Internal error: {type(error).__name__}: {error}", Kind.INTERNAL
    told.cause = OF_KINDS.get(Kind(told.kind)) or (Cause.CHROOT if journal.current == "base" else "")
    with suppress(OSError):  # no space for that line either
        journal.say(f"failed: {told.reason}")
