"""From a source package's build dependencies to the layer that has them installed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from chroots.engine.archives.dsc import Dsc
from chroots.engine.archives.fetch import Missing, RemoteFile, Store
from chroots.engine.archives.repositories import secret_for
from chroots.engine.journal import Journal
from chroots.engine.layers import shared
from chroots.engine.layers.base import Layer
from chroots.engine.layers.beside import PLACE, Beside
from chroots.engine.layers.buildroot import Buildroot, Warden, buildroot
from chroots.engine.layers.depwait import conflict, missing, unmet_dependencies
from chroots.engine.layers.installed import installed_in
from chroots.engine.layers.package_lists import LISTS_OF_BASE, cut_down
from chroots.engine.layers.shared import Stack
from chroots.engine.layers.stacking import Stacker, versions
from chroots.engine.spec import BuildSpec, BuildType, Repository
from chroots.engine.state import State
from debatomic.tools.errors import CommandFailed, InfrastructureError, Kind, ToolError
from debatomic.tools.files import link_or_copy

SOURCE = "/run/source"  # where a buildroot sees the source package
ARCHIVES = "/run/archives"
LISTS = "/run/lists"
CCACHE = ("ccache",)
URI = re.compile(r"^'(?P<url>[^']+)' (?P<name>[^\s/.][^\s/]*) (?P<size>\d{1,15}) SHA256:(?P<sha256>[0-9a-f]{64})$")


def apt_command(spec: BuildSpec, dsc: Dsc, *options: str) -> list[str]:
    """apt-get's command line for the build dependencies."""
    scope = {BuildType.ANY: ["--arch-only"], BuildType.ALL: ["--indep-only"]}.get(spec.build_type, [])
    profiles = [f"--build-profiles={','.join(spec.profiles)}"] if spec.profiles else []
    host = [f"--host-architecture={spec.host}"] if spec.host else []
    return [*apt_get(*scope, *host, *profiles, *options), "build-dep", f"{SOURCE}/{dsc.path.name}"]


def apt_get(*options: str) -> list[str]:
    """apt-get as it runs in a buildroot: it takes packages only from the folder we give it, and asks nothing."""
    return [
        "apt-get", "-y", "-q", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0", "-o", "APT::Sandbox::User=root",
        "-o", "Dpkg::Options::=--force-unsafe-io", "-o", f"Dir::Cache::archives={ARCHIVES}", "-o", "Debug::NoLocking=1",
        "-o", "Acquire::ForceHash=SHA256", *options,
    ]  # fmt: skip


def with_lists(lists: Path | None) -> tuple[str, ...]:
    """apt-get's options for package lists that a buildroot sees at LISTS; none for those of its tree."""
    if not lists:
        return ()
    return ("-o", f"Dir::State::lists={LISTS}", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=")


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """What apt would install, and the options it needed to find that."""

    debs: list[RemoteFile]
    options: tuple[str, ...] = ()

    @property
    def packages(self) -> dict[str, int]:
        """Bytes by `name sha256`."""
        return {f"{deb.name} {deb.sha256}": deb.size for deb in self.debs}


def attempts(repositories: Sequence[Repository]) -> list[tuple[str, ...]]:
    """Options to ask apt with, in this order: plainly, preferring a repository such as backports, thoroughly.

    The last one is apt's solver that looks at all versions, and says why where there is no way.
    """
    suites = [suite for repository in repositories for suite in repository.suites]
    return [(), *(("--target-release", suite) for suite in suites), ("-o", "APT::Solver=3.0")]


@dataclass(frozen=True, kw_only=True)
class Installer:
    """Makes the dependency layers of one build."""

    spec: BuildSpec
    dsc: Dsc
    base: Layer
    state: State
    warden: Warden
    journal: Journal
    folder: Path  # to work in
    beside: Beside = field(default_factory=Beside)  # repositories of this build alone

    def layers(self) -> Stack:
        """The stack with the build dependencies installed, from the store or new; empty if the base has them all.

        Raises: ToolError of kind DEP_WAIT where they cannot be had.
        """
        quick = shared.quick_key(self.base, self.dsc, self.spec, self.beside.digests)
        if (stored := shared.known(self.state, quick)) is not None:
            for layer in stored[:1]:
                self.journal.say(f"The build dependencies are in layer {layer.identity[:12]}.")
            return stored
        with self.journal.phase("resolve"):
            self._look_beside()
            found = self._resolve()
            size = sum(deb.size for deb in found.debs)
            self.journal.say(f"{len(found.debs)} packages, {size >> 10} KiB to install.")
        made = self._stack(found) if found.debs else []
        made = self._with(CCACHE, found, made) if self.spec.ccache else made
        shared.remember(self.state, quick, made)
        return made

    def _look_beside(self) -> None:
        """Have apt in buildroots know the repositories of this build alone."""
        if self.beside.taken:
            self.beside.furnish(self.base.tree, self.folder / "repositories")
            self.beside.lists(self.base.tree, self.spec.chroot, Store(self.state.files), self._lists)

    @property
    def _lists(self) -> Path:
        """All that apt can choose from, where that is more than the base knows."""
        return self.folder / "all-lists"

    def _apt(self, options: Sequence[str], lists: Path | None, *more: str) -> list[str]:
        return apt_command(self.spec, self.dsc, *options, *self.beside.options, *with_lists(lists), *more)

    def _shown(self, lists: Path | None) -> dict[str, Path]:
        """What apt in a buildroot is to see."""
        beside = {PLACE: self.folder / "repositories"} if self.beside.taken else {}
        return {SOURCE: self.dsc.path.parent, **beside, **({LISTS: lists} if lists else {})}

    def _debs(self, said: str) -> list[RemoteFile]:
        return [self.beside.located(each) for each in parse_uris(said, self.spec.chroot.repositories)]

    def _stack(self, found: Resolved) -> Stack:
        key = shared.resolved_key(self.base, list(found.packages))
        return shared.find(self.state, key) or self._installed(found)

    def _with(self, names: Sequence[str], found: Resolved, below: Stack) -> Stack:
        """A layer with more packages on top, which the source package does not ask for."""
        with self._explained():
            more = self._resolved_names(names, below)
        debs = [*found.debs, *more.debs]
        if not more.debs:
            return below
        key = shared.resolved_key(self.base, list(Resolved(debs=debs).packages))
        if stored := shared.find(self.state, key):
            return stored
        with self.journal.phase("install", " ".join(names)), self._explained():
            archives = self._fetched(more.debs, "tools")
            return self._stacker(archives, None).on(below, Resolved(debs=debs).packages, names)

    def _resolve(self) -> Resolved:
        """Which packages apt would install, with their digests from the signed indexes."""
        at, upper = self.folder / "resolve", self.folder / "resolve-upper"
        with self._explained(), buildroot([self.base], self.warden, at=at, upper=upper) as root:
            return self._chosen(root)

    def _chosen(self, root: Buildroot) -> Resolved:
        """What apt chooses in the first of several attempts that finds a way."""
        repositories, failed = self.spec.chroot.repositories, []
        for options in attempts(repositories):
            lists = self._lists if self.beside.taken else None
            command = self._apt(options, lists, "--print-uris")
            try:
                said = root.run(command, read_only=self._shown(lists), capture=True).stdout
            except CommandFailed as error:
                failed.append(error)
                continue
            if options:
                self.journal.say(f"{self.spec.chroot.suite} alone is not enough; apt found a way with {options[-1]}.")
            return Resolved(debs=self._debs(said), options=options)
        raise next((error for error in failed if conflict(error.tail)), failed[0])

    def _installed(self, found: Resolved) -> Stack:
        debs = found.debs
        with self.journal.phase("fetch", f"{len(debs)} packages"):
            archives = self._fetched(debs)
        with self.journal.phase("install", f"{len(debs)} packages"), self._explained():
            lists = self._short_lists(found)
            command = self._apt(found.options, lists, "--no-download")
            return self._stacker(archives, lists).stack(found.packages, command, seeded=not found.options)

    def _short_lists(self, found: Resolved) -> Path | None:
        """Package lists with only what is installed and what is wanted; all there are if apt chose otherwise by them,
        None where those are the base's.
        """
        whole = self._lists if self.beside.taken else None
        lists, at = self.folder / "lists", self.folder / "short"
        names = [*installed_in(self.base.tree), *versions(found.packages, self.spec.chroot.architecture)]
        if not cut_down(whole or self.base.tree / LISTS_OF_BASE, {name.partition(":")[0] for name in names}, lists):
            return whole
        command = self._apt(found.options, lists, "--print-uris")
        with buildroot([self.base], self.warden, at=at, upper=at.with_name("short-upper")) as root:
            try:
                said = root.run(command, read_only=self._shown(lists), capture=True).stdout
            except CommandFailed:
                return whole
        return lists if Resolved(debs=self._debs(said)).packages == found.packages else whole

    def _stacker(self, archives: Path, lists: Path | None) -> Stacker:
        read_only = {**self._shown(lists), ARCHIVES: archives}

        def install(root: Buildroot, command: Sequence[str]) -> None:
            root.run(command, read_only=read_only, scratch=[f"{ARCHIVES}/partial"])

        return Stacker(base=self.base, architecture=self.spec.chroot.architecture, state=self.state,
                       warden=self.warden, journal=self.journal, folder=self.folder, install=install,
                       apt=apt_get(*self.beside.options, *with_lists(lists), "--no-download"),
                       resolve=partial(self._seed, lists=lists))  # fmt: skip

    def _seed(self, names: Sequence[str], lists: Path | None) -> set[str]:
        """What installing these packages on the base would install, as `name sha256`; nothing if it cannot be done."""
        try:
            return set(self._resolved_names(names, [], lists).packages)
        except CommandFailed:
            return set()

    def _resolved_names(self, names: Sequence[str], below: Stack, lists: Path | None = None) -> Resolved:
        """What apt would install for these packages on a stack."""
        at = self.folder / f"resolve-{'-'.join(names)}"
        upper = at.with_name(f"{at.name}-upper")
        with buildroot([*below, self.base], self.warden, at=at, upper=upper) as root:
            command = apt_get(*self.beside.options, *with_lists(lists), "--print-uris")
            said = root.run([*command, "install", *names], capture=True, read_only=self._shown(lists)).stdout
        return Resolved(debs=self._debs(said))

    def _fetched(self, debs: list[RemoteFile], name: str = "archives") -> Path:
        """A folder with the packages under the names apt looks for; each one checked against its digest."""
        archives = self.folder / name
        (archives / "partial").mkdir(parents=True)
        try:
            paths = Store(self.state.files).get_all(debs, lambda done: self.journal.report(done / len(debs)))
        except Missing as error:
            raise InfrastructureError(
                f"The archive lists a package but does not have it: {error}",
                hint="The mirror is being updated or incomplete; a new attempt may succeed.",
            ) from error
        for deb, path in zip(debs, paths, strict=True):
            link_or_copy(path, archives / deb.name)
        return archives

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except CommandFailed as error:
            self.journal(error.tail.encode())
            known = self._lists if self.beside.taken else self.base.tree / LISTS_OF_BASE
            waiting = missing(self.dsc, self.spec, known)
            for line in waiting:
                self.journal.say(f"waits for {line}")
            raise unsatisfiable(self.dsc, error.tail, waiting) from error


def parse_uris(output: str, repositories: Sequence[Repository] = ()) -> list[RemoteFile]:
    """The files of `apt-get --print-uris`."""
    debs = []
    for line in output.splitlines():
        if line.startswith("'"):
            match = URI.match(line)
            if not match:
                raise InfrastructureError(f"apt names a package without its SHA-256, so it is not used: {line}")
            url = re.sub("^copy:", "file:", match["url"])
            debs.append(RemoteFile(name=match["name"], url=url, size=int(match["size"]), sha256=match["sha256"],
                                   secret=secret_for(url, repositories)))  # fmt: skip
    return debs


def unsatisfiable(dsc: Dsc, output: str, waiting: Sequence[str] = ()) -> ToolError:
    """Why build dependencies cannot be installed: what the build waits for, or else what apt says."""
    if waiting:
        more = f" (and {len(waiting) - 1} more)" if len(waiting) > 1 else ""
        return ToolError(f"{dsc.name} waits for {waiting[0]}{more}.", kind=Kind.DEP_WAIT,
                         hint="Build or add what is missing, then retry.", lines=waiting)  # fmt: skip
    if reason := conflict(output):
        return ToolError(f"The build dependencies of {dsc.name} cannot be installed together: {reason[0]}.",
                         kind=Kind.DEP_WAIT, lines=reason)  # fmt: skip
    if unmet := unmet_dependencies(output):
        return ToolError(f"The build dependencies of {dsc.name} cannot be installed: {unmet[0]}.", kind=Kind.DEP_WAIT,
                         hint="Build or add what is missing, then retry.", lines=unmet)  # fmt: skip
    lines = [line for line in output.splitlines() if line.startswith("E: ") or "No space left" in line]
    if any("No space left" in line for line in lines):
        return ToolError("There is no space left on this host to install build dependencies.", kind=Kind.DISK,
                         hint="Free some space below the state folder, then retry.", lines=lines)  # fmt: skip
    told = lines[0].removeprefix("E: ").rstrip(".") if lines else "apt-get failed without saying why"
    return ToolError(f"The build dependencies of {dsc.name} cannot be resolved: {told}.", lines=lines)
