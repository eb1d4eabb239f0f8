"""A source package becomes packages: the table of contents of a build."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from chroots.engine.archives.dsc import Dsc
from chroots.engine.archives.source import take_source
from chroots.engine.building.backend import Backend, Job, check_backend
from chroots.engine.building.collect import ResultFile, collect, described
from chroots.engine.building.described import DESCRIPTION, describe
from chroots.engine.building.failure import BuildFailed, cause_of, diagnose, diagnose_unpacking
from chroots.engine.building.hooks import Hooks, Told, wanted
from chroots.engine.isolation.screen import visible
from chroots.engine.journal import Journal
from chroots.engine.layers import base as bases
from chroots.engine.layers.buildroot import Warden, group_name, warden
from chroots.engine.layers.depwait import relations
from chroots.engine.layers.overlay import total_memory
from chroots.engine.plugins.plugin import Context
from chroots.engine.spec import BuildSpec
from chroots.engine.state import State, remember, remove_tree, temporary
from debatomic.tools.errors import CommandFailed, Kind, ToolError
from debatomic.tools.files import write_json
from debatomic.tools.limits import planned
from debatomic.tools.progress import Progress

PHASES = ("source", "base", "resolve", "fetch", "install", "unpack", "build", "collect")
PLACE = "/build/reproducible-path"  # where Debian's own build hosts build: what embeds its path comes out the same
LOG = "build.log"
RESULT = "result.json"
ENDED_BY = 128  # plus the signal: the status bubblewrap ends with
NO_SPACE = "No space left on device"


@dataclass(kw_only=True)
class Outcome:
    """What became of a build; `result.json` has it."""

    ok: bool = False
    reason: str = ""
    kind: str = ""
    cause: str = ""  # a chroots.engine.building.failure.Cause; "class" in result.json
    decisive: list[str] = field(default_factory=list)
    source: str = ""
    version: str = ""
    chroot: str = ""
    backend: str = ""
    base: dict[str, Any] = field(default_factory=dict)  # chroots.engine.layers.base.facts
    layer: str = ""
    needs: list[str] = field(default_factory=list)  # packages that its build dependencies name
    repositories: list[dict[str, str]] = field(default_factory=list)  # what it had beside the chroot's archives
    files: list[ResultFile] = field(default_factory=list)
    plugins: list[Told] = field(default_factory=list)
    phases: list[dict[str, str | float]] = field(default_factory=list)
    seconds: float = 0.0
    peak_memory: int | None = None  # bytes


def build(spec: BuildSpec, state: State, backend: Backend, echo: Callable[[bytes], object] = lambda chunk: None
          ) -> Outcome:  # fmt: skip
    """Build `spec`; its output folder gets the packages, `build.log` and `result.json`, each whole, the last one last.

    A build that fails returns an Outcome that says why; only Canceled and faults of the engine itself are raised,
    and they are noted in `result.json` as well. `echo` receives the log as it is written.
    """
    outcome = Outcome(chroot=spec.chroot.name, source=spec.source, version=spec.version, backend=backend.name)
    started = time.monotonic()
    (spec.output / RESULT).unlink(missing_ok=True)
    with _folders(spec, state) as (work, target), (target / LOG).open("wb") as file:
        journal = Journal(file, PHASES, echo=echo, progress=Progress(len(PHASES)),
                          limit=spec.limits.log)  # fmt: skip
        context = Context(spec=spec, state=state, work=work, output=target, say=journal.say)
        try:
            hooks = Hooks(wanted(spec), context)
            outcome.plugins = hooks.told
            with hooks.cleaned():
                _build(Job(spec=spec, state=state, work=work, journal=journal, hooks=hooks), backend, target, outcome)
            outcome.ok = True
        except Exception as error:
            _fail(outcome, error, journal)
            if not isinstance(error, (ToolError, OSError)) or outcome.kind == Kind.CANCELED:
                raise
        finally:
            outcome.phases = [{"name": name, "seconds": seconds} for name, seconds in journal.seconds]
            outcome.seconds = round(time.monotonic() - started, 3)
            _deliver(outcome, context)
    return outcome


@contextmanager
def _folders(spec: BuildSpec, state: State) -> Iterator[tuple[Path, Path]]:
    """A folder to work in, and one beside the results; a sweep finds both, and the control group, if we die."""
    with temporary(state.work) as work:
        target = spec.output.absolute() / f".debatomic-{work.name.strip('.')}"
        remember(work, [target, *planned(group_name(work))])
        target.mkdir(parents=True)
        try:
            yield work, target
        finally:
            remove_tree(target)


def _build(job: Job, backend: Backend, target: Path, outcome: Outcome) -> None:
    spec, journal, context = job.spec, job.journal, job.hooks.context
    memory = spec.limits.memory or total_memory() * 3 // 4
    with warden(job.work, group_name(job.work), spec.limits, memory, journal) as keeper:
        with journal.phase("source", Path(spec.source).name):
            dsc = take_source(spec, job.state, job.source, journal.report)
            outcome.source, outcome.version = dsc.name, dsc.version
            outcome.needs = sorted({str(each["name"]) for wanted in relations(dsc, spec) for each in wanted})
            journal.say(f"{dsc.name} {dsc.version}: {len(dsc.files) + 1} files verified.")
            given = _given(job.source, target) if spec.with_source else []
        context.warden, context.source = keeper, dsc
        job.hooks.call("pre_init")
        with journal.phase("base", spec.chroot.name):
            check_backend(backend, spec)
            context.base = base = bases.ensure(spec.chroot, job.state, journal)
            outcome.base = bases.facts(base)
        job.hooks.call("post_init")
        try:
            with backend.built(job, dsc, base, keeper) as made:
                with journal.phase("collect"):
                    ours = {LOG, f"{LOG}.xz", RESULT, DESCRIPTION, *context.reports, *(file.name for file in given)}
                    outcome.files = collect(made.root, made.folder, target, reserved=ours,
                                            size_limit=spec.limits.disk)  # fmt: skip
                    journal.say(f"{len(outcome.files)} files.")
                    outcome.files += given
                context.files = [file.name for file in outcome.files]
                describe(target, context.files)
                context.reports.append(DESCRIPTION)
                job.hooks.call("post_build")
                context.root = None
        finally:
            outcome.repositories = job.repositories
            outcome.layer = job.layers[0] if job.layers else ""  # it stands on the others
            outcome.peak_memory = keeper.group.peak_memory()


def _given(source: Path, target: Path) -> list[ResultFile]:
    """The files of the source package, taken before anything of it runs."""
    names = sorted(path.name for path in source.iterdir())
    for name in names:
        shutil.copyfile(source / name, target / name)
    return [described(target / name) for name in names]


def tree_name(dsc: Dsc) -> str:
    return f"{dsc.name}-{dsc.upstream_version}"


def build_command(spec: BuildSpec) -> list[str]:
    """dpkg-buildpackage's command line."""
    profiles = [f"--build-profiles={','.join(spec.profiles)}"] if spec.profiles else []
    host = [f"--host-arch={spec.host}"] if spec.host else []
    return ["dpkg-buildpackage", "-us", "-uc", "-rfakeroot", spec.build_type.option, *host, *profiles]


def environment(spec: BuildSpec) -> dict[str, str]:
    options = [f"parallel={spec.limits.parallel}", *(["nocheck"] if spec.nocheck else [])]
    site = {"CONFIG_SITE": f"/etc/dpkg-cross/cross-config.{spec.host}"} if spec.host else {}
    return {"DEB_BUILD_OPTIONS": " ".join(options), "LOGNAME": "builder", "USER": "builder", **site}


def not_unpacked(dsc: Dsc, error: CommandFailed) -> BuildFailed:
    """Why dpkg-source failed."""
    found = diagnose_unpacking(error.tail)
    return BuildFailed(found.sentence(dsc.path.name), cause=found.cause, kind=Kind.INPUT, lines=found.lines)


@contextmanager
def explained(dsc: Dsc, space: Path, keeper: Warden, journal: Journal) -> Iterator[None]:
    """Tell a failed build by what it ran out of (`space` is on what its disk limit holds), or by its log."""
    try:
        yield
    except CommandFailed as error:
        found = diagnose(journal.tail())
        if kills := keeper.group.memory_kills():
            raise ToolError(
                f"The build ran out of memory at {keeper.group.memory >> 20} MiB: the kernel killed {kills} of its "
                "processes.",
                kind=Kind.KILLED,
                lines=found.lines,
            ) from error
        if _is_full(space):
            raise ToolError(f"The build filled its disk limit of {keeper.limits.disk >> 20} MiB.",
                            kind=Kind.DISK, lines=found.lines) from error  # fmt: skip
        refused = keeper.refused_processes()
        if error.returncode > ENDED_BY:
            signal = error.returncode - ENDED_BY
            raise ToolError(f"The build was killed by signal {signal}, which one of its own programs sent.",
                            hint=refused, kind=Kind.KILLED, lines=found.lines) from error  # fmt: skip
        if full := next((line for line in found.lines if NO_SPACE in line), ""):  # in memory, and gone by now
            raise ToolError(f"{dsc.name} {dsc.version} failed to build: {full.strip()}",
                            kind=Kind.DISK, lines=found.lines) from error  # fmt: skip
        raise BuildFailed(f"{found.sentence(f'{dsc.name} {dsc.version}')} {refused}".strip(), cause=found.cause,
                          lines=found.lines) from error  # fmt: skip


def ran_out(space: Path, keeper: Warden) -> bool:
    """Whether a build ended because memory or disk did."""
    return bool(keeper.group.memory_kills()) or _is_full(space)


def _is_full(folder: Path) -> bool:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize < 1 << 20 or found.f_favail == 0


def _fail(outcome: Outcome, error: Exception, journal: Journal) -> None:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        error = ToolError(f"The disk of this host is full ({error.filename or 'no file named'}).", kind=Kind.DISK,
                          hint="Free some space below the state folder, then retry.")  # fmt: skip
    if isinstance(error, ToolError):
        outcome.reason, outcome.kind = visible(error.sentence), error.kind
        outcome.decisive = [visible(line) for line in error.lines]
    else:
        outcome.reason, outcome.kind = f"Internal error: {type(error).__name__}: {error}", Kind.INTERNAL
    outcome.cause = cause_of(error, journal.current)
    with suppress(OSError):  # no space for that line either
        journal.say(f"failed: {outcome.reason}")


def _deliver(outcome: Outcome, context: Context) -> None:
    """Move log and results to their names, the result last: where it is, all is."""
    target, output = context.output, context.spec.output
    log = context.pack_log(target / LOG) if context.pack_log else target / LOG
    reports = [described(target / name, "report") for name in context.reports]
    taken = [*(outcome.files if outcome.ok else []), *reports, described(log, "log")]
    for file in taken:
        (target / file.name).rename(output / file.name)
    outcome.files = taken
    told = asdict(outcome)
    write_json(output / RESULT, told | {"class": told.pop("cause")})
