"""pbuilder: in a user namespace that may only read the host, on an overlay over the base in place of its tarball."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from chroots.engine.archives.dsc import Dsc
from chroots.engine.backends.sections import Mark
from chroots.engine.backends.tool import INSTALLING, Tool, build_mark, refusal, work
from chroots.engine.building.backend import Job, Made
from chroots.engine.building.build import PLACE, environment, tree_name
from chroots.engine.isolation.jail import HOST_NAME, controls_read_only, secrets_hidden
from chroots.engine.isolation.seccomp import filter_file
from chroots.engine.layers.base import Layer
from chroots.engine.layers.buildroot import RESOLVER, Warden, buildroot
from chroots.engine.layers.overlay import limited_space
from chroots.engine.spec import BUILDER_UID, BuildSpec, BuildType

ROOT = "/run/root"  # where pbuilder sees the tree to build in
SCOPES = {BuildType.ANY: ["--binary-arch"], BuildType.ALL: ["--binary-indep"], BuildType.BINARY: []}
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - inside the namespace
PRIVATE = ("/home", "/root", "/tmp", "/run", SHARED_MEMORY)  # noqa: S108 - of the host
# What mounts is done before; it must not, and need not, tidy up a tree that is thrown away.
CONFIGURATION = """\
BUILDPLACE={root}
BUILDDIR={place}
BUILDSUBDIR={tree}
BUILDRESULT=/run/results
BUILDRESULTUID=0
BUILDRESULTGID=0
BUILDUSERNAME=builder
BUILDUSERID={user}
USEPROC=no
USESYSFS=no
USESHM=no
USEDEVFS=no
USEDEVPTS=no
USECGROUP=no
USENETWORK=no
USECOLORS=no
EATMYDATA=no
APTCACHE=
CCACHEDIR=
HOOKDIR=
BINDMOUNTS=
EXTRAPACKAGES=
PKGNAME_LOGFILE=
SOURCE_ONLY_CHANGES=no
APTGETOPT=(-q -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-unsafe-io -o APT::Sandbox::User=root)
PBUILDERSATISFYDEPENDSCMD=/usr/lib/pbuilder/pbuilder-satisfydepends-apt
export DEB_BUILD_OPTIONS={options}
export DEB_BUILD_PROFILES={profiles}
"""
MOUNTED = re.compile(rb"^E: Something is still mounted under ")


class Pbuilder:
    """Many of Debian's developers build with it."""

    name = "pbuilder"
    programs = ("pbuilder", "ip")

    def refusal(self, spec: BuildSpec) -> str:
        return refusal(self.name, spec)

    @contextmanager
    def built(self, job: Job, dsc: Dsc, base: Layer, keeper: Warden) -> Iterator[Made]:
        job.journal.say(INSTALLING.format(name=self.name, held="all of it, mounting excepted"))
        configuration = job.work / "pbuilderrc"
        configuration.write_text(told(job.spec, dsc))
        with ExitStack() as undo:
            space = undo.enter_context(limited_space(job.work, job.spec.limits.disk, keeper.group.memory, job.journal))
            root = undo.enter_context(buildroot([base], keeper, at=job.work / "root", upper=space)).root
            (space / "results").mkdir()
            filter_fd = undo.enter_context(filter_file(building=False))
            shown = [("/run/results", space / "results", "--bind"), ("/run/source", job.source, "--ro-bind"),
                     ("/run/pbuilderrc", configuration, "--ro-bind")]  # fmt: skip
            args = [*host_read_only(root, keeper, filter_fd, shown), "--", *pbuilder_command(job.spec, dsc)]
            tool = Tool(name=self.name, args=args, marks=marks(job.spec), environment={"HOME": "/nonexistent"},
                        before=keeper.group.enter, noise=MOUNTED,
                        pass_fds=[keeper.user_namespace, filter_fd])  # fmt: skip
            work(tool, job, dsc, base, keeper, root)
            yield Made(root=root, folder=PLACE)


def told(spec: BuildSpec, dsc: Dsc) -> str:
    """The configuration, a shell script."""
    return CONFIGURATION.format(
        root=ROOT, place=PLACE, tree=shlex.quote(tree_name(dsc)), user=BUILDER_UID,
        options=shlex.quote(environment(spec)["DEB_BUILD_OPTIONS"]), profiles=shlex.quote(" ".join(spec.profiles)),
    )  # fmt: skip


def marks(spec: BuildSpec) -> list[Mark]:
    """The steps pbuilder tells."""
    return [Mark(line=re.compile(rb"^"), phase="unpack"),
            Mark(line=re.compile(rb"^I: Installing the build-deps$"), phase="install"),
            build_mark(rb"^I: Running cd /", spec)]  # fmt: skip


def pbuilder_command(spec: BuildSpec, dsc: Dsc) -> list[str]:
    """pbuilder's command line; the results stay in the tree, where we take them."""
    return ["pbuilder", "build", "--configfile", "/run/pbuilderrc", "--preserve-buildplace", *SCOPES[spec.build_type],
            "--debbuildopts", spec.build_type.option, f"/run/source/{dsc.path.name}"]  # fmt: skip


def host_read_only(root: Path, keeper: Warden, filter_fd: int, shown: Sequence[tuple[str, Path, str]]) -> list[str]:
    """bubblewrap's command line: the host to read, the tree at ROOT to write, capabilities that count only inside.

    The network is the host's, as pbuilder fetches packages; it shuts itself off from it for the build.
    """
    resolver = os.fspath(RESOLVER.resolve())
    return [
        "bwrap", "--die-with-parent", "--new-session", "--userns", str(keeper.user_namespace), "--seccomp",
        str(filter_fd), "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname",
        HOST_NAME, "--ro-bind", "/", "/", *_system("", keeper.devices),
        *(part for folder in hidden() for part in ("--tmpfs", folder)), "--ro-bind-try", resolver, resolver,
        "--bind", os.fspath(root), ROOT, *_system(ROOT, keeper.devices), "--tmpfs", f"{ROOT}{SHARED_MEMORY}",
        *(part for place, outside, how in shown for part in (how, os.fspath(outside), place)),
        "--chdir", "/run", "--cap-drop", "ALL", "--cap-add", "ALL",
    ]  # fmt: skip


def _system(root: str, devices: Path | None) -> list[str]:
    """What programs expect of a system, below `root`."""
    own = ["--dev-bind", os.fspath(devices), f"{root}/dev"] if devices else ["--dev", f"{root}/dev"]
    return [*own, "--proc", f"{root}/proc", *controls_read_only(root), *secrets_hidden(root)]


def hidden() -> list[str]:
    """Folders of the host that are empty inside, where they really are on this host."""
    return [os.fspath(Path(folder).resolve()) for folder in PRIVATE if Path(folder).is_dir()]
