"""Another tool at work: held by the limits of the build, its failures told as the engine's own are."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from chroots.engine.archives.dsc import Dsc
from chroots.engine.archives.mirror import default_mirror
from chroots.engine.backends.sections import Mark, Sections
from chroots.engine.building.backend import Job
from chroots.engine.building.build import build_command, explained, not_unpacked, ran_out
from chroots.engine.building.hooks import wanted
from chroots.engine.layers.base import NETWORK_TROUBLE, Layer
from chroots.engine.layers.buildroot import Warden
from chroots.engine.layers.dependencies import unsatisfiable
from chroots.engine.layers.depwait import missing
from chroots.engine.layers.overlay import require_space
from chroots.engine.layers.package_lists import LISTS_OF_BASE
from chroots.engine.spec import BuildSpec, BuildType
from debatomic.tools.errors import CommandFailed, InfrastructureError, TimedOut, ToolError
from debatomic.tools.run import contained, run

OF_ITS_OWN = {"TMPDIR": "/tmp"}  # noqa: S108 - inside the tool's chroot; ours is not there
NO_NOISE = re.compile(rb"(?!)")
FETCHING = re.compile(r"^E(?:rror)?: (?P<said>Failed to fetch .+|Unable to fetch .+)$", re.MULTILINE)
SETTING_UP = re.compile(r"^(?:E: (?=Error creating chroot session|failed to (?:extract|build) )"
                        r"|(?=Error reading configuration: ))(?P<said>.+)$", re.MULTILINE)  # fmt: skip
INSTALLING = ("{name} fetches the build dependencies itself, with this host's network, and keeps none of them for the "
              "next build; the engine's filter for system calls holds {held}.")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A command line, and the lines it says when it gets to a phase; it begins in the phase of the first mark."""

    name: str
    args: Sequence[str]
    marks: Sequence[Mark]
    environment: dict[str, str]
    before: Callable[[], object]  # called in the new process, see `run`
    noise: re.Pattern[bytes] = NO_NOISE  # lines that mean nothing here
    pass_fds: Sequence[int] = ()


def refusal(name: str, spec: BuildSpec) -> str:
    """What a tool that gets its packages and goes its ways by itself cannot do."""
    mirror = spec.chroot.mirror or default_mirror()
    if spec.host:
        return f"The backend {name} does not cross-build here (for {spec.host})."
    if spec.build_type == BuildType.SOURCE:
        return f"The backend {name} makes binary packages only."
    if spec.binnmu:
        return f"The backend {name} makes no binary rebuilds here."
    if wanted(spec) or spec.ccache:
        return f"The backend {name} has no plugins and no compiler cache."
    if spec.repositories:
        return f"The backend {name} takes packages from the chroot's own archives only."
    return _unreachable(name, spec, mirror)


def _unreachable(name: str, spec: BuildSpec, mirror: str) -> str:
    if closed := next((each.name for each in spec.chroot.repositories if each.secret), ""):
        return f"The backend {name} would have to be told the secret of the repository {closed} inside the chroot."
    uris = [mirror, *(uri for each in spec.chroot.repositories for uri in each.uris)]
    if any(uri.startswith("file:") for uri in uris):
        return f"The backend {name} cannot see an archive that is a folder of this host inside its chroot."
    return ""


def build_mark(line: bytes, spec: BuildSpec) -> Mark:
    """The beginning of the phase `build`."""
    return Mark(line=re.compile(line), phase="build", detail=" ".join(build_command(spec)))


def work(tool: Tool, job: Job, dsc: Dsc, base: Layer, keeper: Warden, space: Path) -> None:
    """Run a tool to its end; all it starts is gone then. `space` is on the file system its disk limit holds.

    Raises: ToolError
    """
    with closing(Sections(job.journal, tool.marks[1:], tool.noise)) as sections:
        sections.begin(tool.marks[0])
        with explained(dsc, space, keeper, job.journal):
            try:
                _run(tool, keeper, sections)
            except CommandFailed as error:
                early = early_failure(sections.phase, error, job.spec, dsc, base)
                if early and not ran_out(space, keeper):
                    raise early from error
                raise


def _run(tool: Tool, keeper: Warden, sections: Sections) -> None:
    limits = keeper.group.resource_limits()
    args = contained([*(["prlimit", *limits, "--"] if limits else []), *tool.args])
    try:
        run(args, log=sections, env=OF_ITS_OWN | tool.environment, time_limit=keeper.remaining(),
            pass_fds=tool.pass_fds, idle_limit=keeper.limits.idle_limit, tick_seconds=0.5,
            tick=partial(require_space, keeper.folder), before=tool.before)  # fmt: skip
    except TimedOut as error:
        raise keeper.out_of_time(error) from error


def early_failure(phase: str, error: CommandFailed, spec: BuildSpec, dsc: Dsc, base: Layer) -> ToolError | None:
    """What went wrong before the build itself began; None if it had begun."""
    if phase == "build":
        return None
    if setup := SETTING_UP.search(error.tail):
        return InfrastructureError(f"The chroot could not be set up: {setup['said'].rstrip('.')}.", lines=error.lines)
    if phase == "unpack":
        return not_unpacked(dsc, error)
    if (said := FETCHING.search(error.tail)) or any(sign in error.tail for sign in NETWORK_TROUBLE):
        told = said["said"] if said else "the archive cannot be reached"
        return InfrastructureError(f"The build dependencies of {dsc.name} could not be fetched: {told}.",
                                   lines=error.lines)  # fmt: skip
    return unsatisfiable(dsc, error.tail, missing(dsc, spec, base.tree / LISTS_OF_BASE))
