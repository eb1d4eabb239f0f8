"""Building: `build` and `sources`."""

from __future__ import annotations

import argparse
import json
import math
import re
import time
from dataclasses import replace
from pathlib import Path

from chroots.engine.archives.fetch import Store
from chroots.engine.archives.source import archive_of
from chroots.engine.backends.table import BACKENDS
from chroots.engine.building.build import build
from chroots.engine.commands.options import DEFAULTS, chroot_spec, echo, limit_options, size
from chroots.engine.commands.rebuilding import binnmu_of, binnmu_options, rebuilt_type
from chroots.engine.commands.verb import Verb
from chroots.engine.configuration.places import parse_mapping
from chroots.engine.configuration.values import plugins, repository
from chroots.engine.layers import ccache
from chroots.engine.layers.expiry import Keep, evict
from chroots.engine.spec import BuildSpec, BuildType, ChrootSpec, Limits, PluginUse, Repository, Tmpfs, crossing
from debatomic.tools.errors import InputError


def _build_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("source", help="a source package's name in the archive, or the path of a .dsc")
    command.add_argument("--chroot", required=True)
    command.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="gets the packages, build.log, result.json"
    )
    command.add_argument("--version", default="", metavar="V", help="this version (default: the newest)")
    command.add_argument("--build", type=BuildType, default=BuildType.BINARY, choices=list(BuildType), metavar="TYPE",
                         help="any, all, binary (both; the default) or source")  # fmt: skip
    command.add_argument("--with-source", action="store_true", help="deliver the source package, too")
    command.add_argument("--host", type=_architecture, default="", metavar="ARCH",
                         help="cross-build for this architecture, e.g. arm64")  # fmt: skip
    command.add_argument("--backend", choices=sorted(BACKENDS), help="what builds (default: as the chroot says)")
    command.add_argument("--time-limit", type=float, default=DEFAULTS.time_limit, metavar="S", help="seconds")
    command.add_argument(
        "--idle-limit", type=float, default=DEFAULTS.idle_limit, metavar="S", help="seconds of silence"
    )
    limit_options(command)
    command.add_argument(
        "--parallel", type=int, default=DEFAULTS.parallel, metavar="N", help="jobs (one per processor)"
    )
    command.add_argument("--log-limit", type=size, default=DEFAULTS.log, metavar="SIZE", help="of the log (512M)")
    command.add_argument("--profiles", type=given_profiles, default=(), metavar="P,P", help="build profiles")
    command.add_argument("--nocheck", action="store_true", help="do not run the package's tests")
    command.add_argument("--tmpfs", type=Tmpfs, choices=list(Tmpfs), metavar="WHEN",
                         help="keep what is written in memory: auto, always or never (default: as the chroot says)",
                         )  # fmt: skip
    command.add_argument("--ccache", type=size, nargs="?", const=1 << 30, default=0, metavar="SIZE",
                         help="use a compiler cache of this source package's own (of 1G)")  # fmt: skip
    command.add_argument("--plugin", action="append", type=_plugin, default=[], metavar="PLUGIN",
                         help="a plugin's name, or {name: N, OPTION: VALUE}; may be given several times")  # fmt: skip
    command.add_argument("--repository", action="append", type=given_repository, default=[], metavar="REPOSITORY",
                         help="take build dependencies from it, too, before the archive's: {name: N, uris: [U], "
                         "suites: [S], key: FILE}, as in chroot definitions; may be given several times")  # fmt: skip
    binnmu_options(command)
    command.add_argument("--layers-size", type=size, metavar="SIZE", help="of all layers kept (20G)")
    command.add_argument("--layers-days", type=float, metavar="DAYS", help="an unused layer is kept (30)")
    command.add_argument(
        "--expect", type=Path, metavar="FILE", help="JSON: SHA-256 by file name; refuse any other source"
    )


def given_profiles(text: str) -> tuple[str, ...]:
    return tuple(part for part in re.split(r"[,\s]+", text) if part)


def _architecture(text: str) -> str:
    if (text and not re.fullmatch(r"[a-z0-9][a-z0-9-]*", text)) or text == "all":
        raise argparse.ArgumentTypeError(f"'{text}' is no architecture; write for example arm64")
    return text


def _plugin(text: str) -> PluginUse:
    """One entry of the key `plugins` of a chroot definition."""
    try:
        return plugins(parse_mapping(f"plugins:\n- {text}", "--plugin")["plugins"], "plugins")[0]
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def given_repository(text: str) -> Repository:
    """One entry of the key `repositories` of a chroot definition."""
    try:
        return repository(parse_mapping(f"repository: {text}", "--repository")["repository"], "repository")
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def build_spec(options: argparse.Namespace) -> BuildSpec:
    """The build the options ask for."""
    parallel = min(options.parallel, math.ceil(options.processors or options.parallel))
    limits = Limits(time_limit=options.time_limit, idle_limit=options.idle_limit, memory=options.memory,
                    disk=options.disk, processes=options.processes, processors=options.processors, parallel=parallel,
                    log=options.log_limit)  # fmt: skip
    chroot, binnmu = _chroot(options), binnmu_of(options)
    spec = BuildSpec(
        source=options.source, chroot=replace(chroot, tmpfs=options.tmpfs or chroot.tmpfs), ccache=options.ccache,
        output=options.output.absolute(), version=options.version,
        build_type=rebuilt_type(options.build, binnmu), binnmu=binnmu,
        with_source=options.with_source, profiles=options.profiles, nocheck=options.nocheck,
        expect=_expected(options.expect) if options.expect else None, limits=limits, plugins=tuple(options.plugin),
        repositories=tuple(each.filled(suite=chroot.suite, architecture=chroot.architecture)
                           for each in options.repository),
    )  # fmt: skip
    return crossing(spec, options.host) if options.host else spec


def _chroot(options: argparse.Namespace) -> ChrootSpec:
    spec = chroot_spec(options)
    return replace(spec, backend=options.backend) if options.backend else spec


def _expected(path: Path) -> dict[str, str]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"The file {path} given with --expect cannot be read: {error}.") from error
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise InputError(f"The file {path} given with --expect must be a JSON object of SHA-256 by file name.")
    return content


def _build(options: argparse.Namespace) -> int:
    spec = build_spec(options)
    outcome = build(spec, options.state, BACKENDS[spec.chroot.backend], echo=echo)
    if any(phase["name"] == "fetch" for phase in outcome.phases) or options.ccache:  # else nothing was added
        keep = Keep.chosen(options.layers_size, options.layers_days)
        evict(options.state, keep)
        ccache.evict(options.state, time.time() - keep.age)
        Store(options.state.files).evict()
    if outcome.ok:  # the log of a failed one has its reason as the last line
        made = [file for file in outcome.files if file.kind != "log"]
        print(f"built: {len(made)} files in {options.output}", flush=True)
    return 0 if outcome.ok else 1


def _sources_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("name")
    command.add_argument("--suite", default="trixie")


def _sources(options: argparse.Namespace) -> int:
    spec = ChrootSpec(name=options.suite, suite=options.suite, architecture="all", mirror=options.mirror)
    package = archive_of(spec, options.state).find(options.name)
    print(f"{package.name} {package.version} ({' '.join(package.architectures)}) in {package.component}")
    for file in package.files:
        print(f"{file.sha256}  {file.size:>10}  {file.url}")
    return 0


VERBS = (
    Verb(name="build", help="build a source package", options=_build_options, run=_build, contained=True),
    Verb(name="sources", help="look up a source package in the archive", options=_sources_options, run=_sources),
)
