"""sbuild in its unshare mode: as an ordinary user with sub-ids of its own, from a tarball of the base."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from chroots.engine.archives.dsc import Dsc
from chroots.engine.backends.sections import Mark
from chroots.engine.backends.tool import INSTALLING, Tool, build_mark, refusal, work
from chroots.engine.building.backend import Job, Made
from chroots.engine.building.build import PLACE, environment
from chroots.engine.isolation.machine import own_architecture
from chroots.engine.isolation.mounts import bind, leave_mounts_of_others
from chroots.engine.layers.base import Layer, facts
from chroots.engine.layers.buildroot import Warden
from chroots.engine.layers.overlay import limited_space
from chroots.engine.spec import BUILDER_UID, BuildSpec, BuildType
from chroots.engine.state import State, locked
from debatomic.tools.errors import InputError
from debatomic.tools.run import Output, run

USER = "debatomic-sbuild"  # known in the namespaces of one build only
SUB_IDS = (0x70000000, 65536)  # the first one and how many, out of what systemd's documentation calls unused
ACCOUNTS = {
    "passwd": f"{USER}:x:{BUILDER_UID}:{BUILDER_UID}::/mnt/home:/bin/sh\n",
    "group": f"{USER}:x:{BUILDER_UID}:\n",
    "subuid": f"{USER}:{SUB_IDS[0]}:{SUB_IDS[1]}\n",
    "subgid": f"{USER}:{SUB_IDS[0]}:{SUB_IDS[1]}\n",
}
HERE = "/mnt"  # where the process sees the folder it works in
SCOPES = {
    BuildType.ANY: ("--arch-any", "--no-arch-all"), BuildType.ALL: ("--no-arch-any", "--arch-all"),
    BuildType.BINARY: ("--arch-any", "--arch-all"),
}  # fmt: skip
CONFIGURATION = """\
$chroot_mode = 'unshare';
$unshare_tmpdir_template = '{here}/chroots/XXXXXXXXXX';
$build_path = '{place}';
$build_environment = {{ 'DEB_BUILD_OPTIONS' => '{options}' }};
$nolog = 1;
$log_colour = $log_filter = 0;
$apt_update = $apt_upgrade = $apt_distupgrade = 0;
$run_lintian = $run_piuparts = $run_autopkgtest = 0;
$clean_source = $check_space = 0;
$resolve_alternatives = 1;
$purge_build_deps = $purge_build_directory = $purge_session = 'never';
$stalled_pkg_timeout = 1 << 30;
1;
"""


class Sbuild:
    """Debian's own build daemons build with it."""

    name = "sbuild"
    programs = ("sbuild", "newuidmap", "useradd", "ip")

    def refusal(self, spec: BuildSpec) -> str:
        if (wanted := spec.chroot.architecture) != own_architecture():
            return f"The backend {self.name} builds for this host's own architecture only, not for {wanted}."
        return refusal(self.name, spec)

    @contextmanager
    def built(self, job: Job, dsc: Dsc, base: Layer, keeper: Warden) -> Iterator[Made]:
        job.journal.say(INSTALLING.format(name=self.name, held="nothing of it"))
        size = job.spec.limits.disk + int(facts(base)["size"])
        with base.used(), limited_space(job.work, size, keeper.group.memory, job.journal) as space:
            tarball = base_tarball(base, job.state, job.journal)
            _furnish(space, job)
            tool = Tool(
                name=self.name, args=as_user(sbuild_command(job.spec, dsc)), marks=marks(job.spec),
                environment={"HOME": f"{HERE}/home", "USER": USER, "LOGNAME": USER,
                             "SBUILD_CONFIG": f"{HERE}/sbuild.conf"},
                before=partial(_enter, keeper, _binds(space, tarball, job.work / "etc")),
            )  # fmt: skip
            work(tool, job, dsc, base, keeper, space)
            yield Made(root=space, folder="results")


def base_tarball(base: Layer, state: State, log: Output) -> Path:
    """The base as sbuild unpacks it, made once; it goes with the base."""
    path = base.tree.parent / "base.tar"
    with locked(state.locks / f"tarball-{base.identity[:32]}"):
        if not path.exists():
            unfinished = path.with_name(".base.tar")
            run(["tar", "--create", "--numeric-owner", "--exclude=./dev/*", f"--file={unfinished}",
                 f"--directory={base.tree}", "."], log=log)  # fmt: skip
            unfinished.rename(path)
    return path


def marks(spec: BuildSpec) -> list[Mark]:
    """The headings of sbuild's log."""
    return [Mark(line=re.compile(rb"^"), phase="install"), Mark(line=re.compile(rb"^Unpack source$"), phase="unpack"),
            build_mark(rb"^dpkg-buildpackage$", spec)]  # fmt: skip


def sbuild_command(spec: BuildSpec, dsc: Dsc) -> list[str]:
    """sbuild's command line, with paths as it sees them."""
    return [
        "sbuild", f"--dist={spec.chroot.suite}", f"--chroot={HERE}/base.tar", f"--build-dir={HERE}/results",
        "--build-dep-resolver=apt", *SCOPES[spec.build_type], "--no-source",
        *([f"--profiles={','.join(spec.profiles)}"] if spec.profiles else []), f"{HERE}/source/{dsc.path.name}",
    ]  # fmt: skip


def configuration(spec: BuildSpec) -> str:
    """What sbuild reads, in Perl."""
    return CONFIGURATION.format(here=HERE, place=PLACE, options=environment(spec)["DEB_BUILD_OPTIONS"])


def as_user(args: Sequence[str]) -> list[str]:
    return ["setpriv", f"--reuid={BUILDER_UID}", f"--regid={BUILDER_UID}", "--clear-groups", "--", *args]


def _furnish(space: Path, job: Job) -> None:
    """What sbuild finds where it works, and the accounts of this host with one more."""
    shutil.copytree(job.source, space / "source")
    for name in ("home", "chroots", "results"):
        (space / name).mkdir()
        os.chown(space / name, BUILDER_UID, BUILDER_UID)
    (space / "sbuild.conf").write_text(configuration(job.spec))
    (space / "base.tar").touch()
    (job.work / "etc").mkdir()
    for name, line in ACCOUNTS.items():
        path = Path("/etc", name)
        if not path.exists():
            raise InputError(f"This host has no {path}, which sbuild's unshare mode needs.", hint=f"touch {path}")
        (job.work / "etc" / name).write_text(line + path.read_text())


def _binds(space: Path, tarball: Path, accounts: Path) -> list[tuple[Path, Path]]:
    """What is seen where: first in folders that may be below the last one."""
    return [*((accounts / name, Path("/etc", name)) for name in ACCOUNTS), (tarball, space / "base.tar"),
            (space, Path(HERE))]  # fmt: skip


def _enter(keeper: Warden, binds: Sequence[tuple[Path, Path]]) -> None:
    """In the new process: into the control group, and to what it is to see."""
    keeper.group.enter()
    leave_mounts_of_others()
    for source, at in binds:
        bind(source, at)
    os.chdir(HERE)  # sbuild wants to read the folder it is started in
