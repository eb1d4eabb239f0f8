"""From a source package's build dependencies to the layer that has them installed."""

from __future__ import annotations

import os
import re
from pathlib import Path

from chroots.engine import layers
from chroots.engine.base import Layer
from chroots.engine.buildroot import Warden, buildroot
from chroots.engine.dsc import Dsc
from chroots.engine.failure import unmet_dependencies
from chroots.engine.fetch import Missing, RemoteFile, Store
from chroots.engine.journal import Journal
from chroots.engine.spec import BuildSpec, BuildType
from chroots.engine.state import State
from debatomic.tools.errors import CommandFailed, InfrastructureError, Kind, ToolError

SOURCE = "/run/source"  # where a buildroot sees the source package
ARCHIVES = "/run/archives"
URI = re.compile(r"^'(?P<url>[^']+)' (?P<name>\S+) (?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})$")


def apt_command(spec: BuildSpec, dsc: Dsc, *options: str) -> list[str]:
    """apt-get's command line for the build dependencies."""
    scope = {BuildType.ANY: ["--arch-only"], BuildType.ALL: ["--indep-only"]}.get(spec.build_type, [])
    profiles = [f"--build-profiles={','.join(spec.profiles)}"] if spec.profiles else []
    return [
        "apt-get", "-y", "-q", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0", "-o", "APT::Sandbox::User=root",
        "-o", "Dpkg::Options::=--force-unsafe-io", "-o", f"Dir::Cache::archives={ARCHIVES}", "-o", "Debug::NoLocking=1",
        "-o", "Acquire::ForceHash=SHA256",
        *scope, *profiles, *options, "build-dep", f"{SOURCE}/{dsc.path.name}",
    ]  # fmt: skip


def dependency_layer(
    spec: BuildSpec, dsc: Dsc, *, base: Layer, state: State, warden: Warden, journal: Journal, folder: Path
) -> Layer | None:
    """The layer with the build dependencies installed, from the store or new; None if the base has them all.

    Raises: ToolError of kind DEP_WAIT where they cannot be had.
    """
    quick = layers.quick_key(base, dsc, spec)
    if layer := layers.known(state, quick):
        journal.say(f"The build dependencies are in layer {layer.identity[:12]}.")
        return layer
    with journal.phase("resolve"):
        debs = resolve(spec, dsc, base=base, warden=warden, folder=folder)
        journal.say(f"{len(debs)} packages, {sum(deb.size for deb in debs) >> 10} KiB to install.")
    if not debs:
        return None
    key = layers.resolved_key(base, [f"{deb.name} {deb.sha256}" for deb in debs])
    layer = layers.find(state, key) or _made(spec, dsc, key, debs, base, state, warden, journal, folder)
    layers.remember(state, quick, layer)
    return layer


def resolve(spec: BuildSpec, dsc: Dsc, *, base: Layer, warden: Warden, folder: Path) -> list[RemoteFile]:
    """Which packages apt would install, with their digests from the signed indexes."""
    with buildroot([base], warden, at=folder / "resolve", upper=folder / "resolve-upper") as root:
        try:
            done = root.run(apt_command(spec, dsc, "--print-uris"), read_only={SOURCE: dsc.path.parent}, capture=True)
        except CommandFailed as error:
            warden.log(error.tail.encode())
            raise unsatisfiable(dsc, error.tail) from error
    return parse_uris(done.stdout)


def parse_uris(output: str) -> list[RemoteFile]:
    """The files of `apt-get --print-uris`."""
    debs = []
    for line in output.splitlines():
        if line.startswith("'"):
            match = URI.match(line)
            if not match:
                raise InfrastructureError(f"apt names a package without its SHA-256, so it is not used: {line}")
            debs.append(RemoteFile(name=match["name"], url=match["url"], size=int(match["size"]),
                                   sha256=match["sha256"]))  # fmt: skip
    return debs


def unsatisfiable(dsc: Dsc, output: str) -> ToolError:
    """What apt says when build dependencies cannot be installed."""
    if unmet := unmet_dependencies(output):
        return ToolError(f"The build dependencies of {dsc.name} cannot be installed: {unmet[0]}.", kind=Kind.DEP_WAIT,
                         hint="Build or add what is missing, then retry.", lines=unmet)  # fmt: skip
    lines = [line for line in output.splitlines() if line.startswith("E: ")]
    told = lines[0].removeprefix("E: ").rstrip(".") if lines else "apt-get failed without saying why"
    return ToolError(f"The build dependencies of {dsc.name} cannot be resolved: {told}.", lines=lines)


def _made(spec: BuildSpec, dsc: Dsc, key: str, debs: list[RemoteFile], base: Layer, state: State,
          warden: Warden, journal: Journal, folder: Path) -> Layer:  # fmt: skip  # noqa: PLR0913
    with journal.phase("fetch", f"{len(debs)} packages"):
        archives = fetched(debs, state, journal, folder)

    def install(scratch: Path) -> None:
        with buildroot([base], warden, at=folder / "install", upper=scratch) as root:
            root.run(apt_command(spec, dsc, "--no-download"),
                     read_only={SOURCE: dsc.path.parent, ARCHIVES: archives})  # fmt: skip

    with journal.phase("install", f"{len(debs)} packages"):
        try:
            return layers.make(state, key, base, [deb.name for deb in debs], install)
        except CommandFailed as error:
            raise unsatisfiable(dsc, error.tail) from error


def fetched(debs: list[RemoteFile], state: State, journal: Journal, folder: Path) -> Path:
    """A folder with the packages under the names apt looks for; each one checked against its digest."""
    archives = folder / "archives"
    (archives / "partial").mkdir(parents=True)
    try:
        paths = Store(state.files).get_all(debs, lambda count: journal.report(count / len(debs)))
    except Missing as error:
        raise InfrastructureError(f"The archive lists a package but does not have it: {error}",
                                  hint="The mirror is being updated or incomplete; a new attempt may succeed.") from error  # fmt: skip
    for deb, path in zip(debs, paths, strict=True):
        os.link(path, archives / deb.name)
    return archives
