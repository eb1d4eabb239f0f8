"""The engine on the command line: `python -m chroots.engine build|init|sources|sweep|list`."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

from chroots.engine import base, definitions
from chroots.engine.build import build
from chroots.engine.contain import contained_run, is_contained
from chroots.engine.fetch import Store
from chroots.engine.layers import evict
from chroots.engine.mirror import default_mirror
from chroots.engine.overlay import file_system
from chroots.engine.source import archive_of
from chroots.engine.spec import BuildSpec, BuildType, ChrootSpec, Limits
from chroots.engine.state import State
from chroots.engine.sweep import sweep
from debatomic.tools.errors import Canceled, InputError, ToolError
from debatomic.tools.files import write_json
from debatomic.tools.run import not_installed, plain_environment

# What the engine starts, some of it through another program, which could not say what is missing.
PROGRAMS = ("bwrap", "chroot", "gpgv", "mkfs.ext4", "mmdebstrap", "mount", "setpriv", "umount", "unshare")
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
DEFAULTS = Limits()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 if it did what was asked. The last line printed says what came of it."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = parser().parse_args(arguments)
    os.umask(0o022)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _canceled)
    try:
        return _command(options, arguments)
    except ToolError as error:
        for line in error.lines:
            print(line)
        print(f"failed: {error.sentence}", flush=True)
        return 1


def _command(options: argparse.Namespace, arguments: list[str]) -> int:
    commands = {"build": _build, "init": _init, "sources": _sources, "sweep": _sweep, "list": _list}
    if options.command in ("build", "init") and not is_contained():
        check_host(options.state)
        sweep(options.state)
        return contained_run(["-m", "chroots.engine", *arguments], lambda: sweep(options.state))
    return commands[options.command](options)


def _canceled(number: int, frame: FrameType | None) -> None:
    for again in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(again, signal.SIG_IGN)
    raise Canceled(f"Canceled by {signal.Signals(number).name}.")


def check_host(state: State) -> None:
    """Refuse what cannot work, before anything is done."""
    if os.geteuid() != 0:
        raise InputError("Building needs root: it mounts file systems and makes users in chroots.",
                         hint="Run it with sudo.")  # fmt: skip
    if file_system(state.root, Path("/proc/self/mountinfo").read_text()) == "overlay":
        raise InputError(f"The state folder {state.root} is on an overlay file system, which cannot hold layers.",
                         hint="Choose a folder on a disk, with --state or DEBATOMIC_HOME.")  # fmt: skip
    for program in PROGRAMS:
        if not shutil.which(program, path=plain_environment()["PATH"]):
            raise not_installed(program)


def parser() -> argparse.ArgumentParser:
    """The options of all commands."""
    top = argparse.ArgumentParser(
        prog="python -m chroots.engine", description="Build Debian packages in isolated chroots."
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--state", type=_state, default=State.default(), metavar="DIR",
        help="where bases, layers and downloads are kept (default: $DEBATOMIC_HOME/host or var/host)",
    )  # fmt: skip
    common.add_argument(
        "--mirror", default="", metavar="URL", help="the Debian mirror (default: the one this machine uses)"
    )
    common.add_argument(
        "--definitions", type=Path, default=definitions.DEFINITIONS, metavar="DIR", help="chroot definitions"
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _build_options(commands.add_parser("build", parents=[common], help="build a source package"))
    init = commands.add_parser("init", parents=[common], help="make a chroot's base now")
    init.add_argument("chroot")
    init.add_argument("--refresh", action="store_true", help="make it anew even if it is current")
    init.add_argument("--output", type=Path, metavar="DIR", help="gets result.json")
    sources = commands.add_parser("sources", parents=[common], help="look up a source package in the archive")
    sources.add_argument("name")
    sources.add_argument("--suite", default="trixie")
    commands.add_parser("sweep", parents=[common], help="remove what killed builds left behind")
    commands.add_parser("list", parents=[common], help="list the chroots that are defined")
    return top


def _build_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("source", help="a source package's name in the archive, or the path of a .dsc")
    command.add_argument("--chroot", required=True)
    command.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="gets the packages, build.log, result.json"
    )
    command.add_argument("--version", default="", metavar="V", help="this version (default: the newest)")
    command.add_argument("--build", type=BuildType, default=BuildType.BINARY, choices=list(BuildType), metavar="TYPE",
                         help="any, all, binary (both; the default) or source")  # fmt: skip
    command.add_argument("--time-limit", type=float, default=DEFAULTS.time_limit, metavar="S", help="seconds")
    command.add_argument(
        "--idle-limit", type=float, default=DEFAULTS.idle_limit, metavar="S", help="seconds of silence"
    )
    command.add_argument("--memory", type=size, metavar="SIZE", help="e.g. 4G (default: three quarters of the host's)")
    command.add_argument(
        "--disk", type=size, default=DEFAULTS.disk, metavar="SIZE", help="what the build may write (16G)"
    )
    command.add_argument("--processes", type=int, default=DEFAULTS.processes, metavar="N", help="at once (4096)")
    command.add_argument(
        "--parallel", type=int, default=DEFAULTS.parallel, metavar="N", help="jobs (one per processor)"
    )
    command.add_argument("--profiles", type=_profiles, default=(), metavar="P,P", help="build profiles")
    command.add_argument("--nocheck", action="store_true", help="do not run the package's tests")
    command.add_argument(
        "--expect", type=Path, metavar="FILE", help="JSON: SHA-256 by file name; refuse any other source"
    )


def size(text: str) -> int:
    """Bytes of `512M`, `4G` and the like."""
    match = re.fullmatch(r"(\d+)([kmgt]?)(?:i?b)?", text.strip().lower())
    if not match or not int(match[1]):
        raise argparse.ArgumentTypeError(f"'{text}' is not a size; write for example 512M or 4G")
    return int(match[1]) * UNITS[match[2]]


def _state(text: str) -> State:
    return State(Path(text).absolute())


def _profiles(text: str) -> tuple[str, ...]:
    return tuple(part for part in re.split(r"[,\s]+", text) if part)


def _chroot(options: argparse.Namespace) -> ChrootSpec:
    spec = definitions.load(options.chroot, options.definitions)
    return replace(spec, mirror=options.mirror.rstrip("/")) if options.mirror else spec


def build_spec(options: argparse.Namespace) -> BuildSpec:
    """The build the options ask for."""
    limits = Limits(time_limit=options.time_limit, idle_limit=options.idle_limit, memory=options.memory,
                    disk=options.disk, processes=options.processes, parallel=options.parallel)  # fmt: skip
    return BuildSpec(
        source=options.source, chroot=_chroot(options), output=options.output.absolute(), version=options.version,
        build_type=options.build, profiles=options.profiles, nocheck=options.nocheck,
        expect=_expected(options.expect) if options.expect else None, limits=limits,
    )  # fmt: skip


def _expected(path: Path) -> dict[str, str]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"The file {path} given with --expect cannot be read: {error}.") from error
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise InputError(f"The file {path} given with --expect must be a JSON object of SHA-256 by file name.")
    return content


def _echo(chunk: bytes) -> None:
    sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def _build(options: argparse.Namespace) -> int:
    outcome = build(build_spec(options), options.state, echo=_echo)
    evict(options.state)
    Store(options.state.files).evict()
    if outcome.ok:  # the log of a failed one has its reason as the last line
        made = [file for file in outcome.files if file.kind != "log"]
        print(f"built: {len(made)} files in {options.output}", flush=True)
    return 0 if outcome.ok else 1


def _init(options: argparse.Namespace) -> int:
    try:
        layer = base.ensure(_chroot(options), options.state, _echo, refresh=options.refresh)
    except ToolError as error:
        _tell(options, {"ok": False, "reason": error.sentence, "kind": error.kind, "decisive": error.lines})
        raise
    _tell(options, {"ok": True, "reason": "", "kind": "", "base": base.facts(layer)})
    print(f"ready: {options.chroot} {layer.identity[:12]} in {layer.tree}")
    return 0


def _tell(options: argparse.Namespace, result: dict[str, object]) -> None:
    if options.output:
        write_json(options.output / "result.json", {"chroot": options.chroot, **result})


def _sources(options: argparse.Namespace) -> int:
    spec = ChrootSpec(name=options.suite, suite=options.suite, architecture="all", mirror=options.mirror)
    package = archive_of(spec, options.state).find(options.name)
    print(f"{package.name} {package.version} ({' '.join(package.architectures)}) in {package.component}")
    for file in package.files:
        print(f"{file.sha256}  {file.size:>10}  {file.url}")
    return 0


def _sweep(options: argparse.Namespace) -> int:
    removed = sweep(options.state)
    print(f"swept: {len(removed)} folders")
    return 0


def _list(options: argparse.Namespace) -> int:
    for name in definitions.names(options.definitions):
        spec = definitions.load(name, options.definitions)
        made = base.current(options.state.bases / spec.key)
        print(f"{name}: {spec.suite} {spec.architecture} {spec.variant}, "
              f"mirror {spec.mirror or options.mirror or default_mirror()}, "
              f"base {made.identity[:12] if made else 'not made yet'}")  # fmt: skip
    return 0
