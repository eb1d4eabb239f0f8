"""Checking what a build made: `check`."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from chroots.engine.checking.check import DEFAULTS, CheckSpec, Verdict
from chroots.engine.checking.running import run_check
from chroots.engine.checking.table import CHECKS
from chroots.engine.commands.building import given_profiles, given_repository
from chroots.engine.commands.options import chroot_spec, echo, echo_aside, json_option, limit_options, print_json
from chroots.engine.commands.rebuilding import binnmu_of, binnmu_options
from chroots.engine.commands.verb import Verb
from debatomic.tools.errors import InputError, ToolError
from debatomic.tools.files import write_json

RESULT = "result.json"


def _check_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("check", metavar="NAME", help=f"one of {', '.join(CHECKS)}")
    command.add_argument("folder", type=Path, metavar="DIR", help="what a build made: the output folder of build")
    command.add_argument("--chroot", default="", metavar="C", help="whose suite's tools look (default: the build's)")
    command.add_argument("--before", type=Path, metavar="DIR",
                         help="packages of the version before (default: the archive's)")  # fmt: skip
    command.add_argument("--source", default="", metavar="S",
                         help="the source package, by name or .dsc (default: the .dsc in DIR)")  # fmt: skip
    command.add_argument("--version", default="", metavar="V", help="of the source package (default: the newest)")
    binnmu_options(command)
    command.add_argument("--expect", type=Path, metavar="FILE",
                         help="JSON: SHA-256 by file name; refuse any other source")  # fmt: skip
    command.add_argument("--profiles", type=given_profiles, default=(), metavar="P,P",
                         help="build profiles that it was built with")  # fmt: skip
    command.add_argument("--nocheck", action="store_true", help="it was built without running its tests")
    command.add_argument("--repository", action="append", type=given_repository, default=[], metavar="REPOSITORY",
                         help="dependencies come from it, too, as for build; may be given several times")  # fmt: skip
    command.add_argument("--output", type=Path, metavar="DIR",
                         help="gets result.json and the reports (default: DIR/check-NAME)")  # fmt: skip
    command.add_argument("--time-limit", type=float, default=DEFAULTS.time_limit, metavar="S", help="seconds")
    command.add_argument("--idle-limit", type=float, default=DEFAULTS.idle_limit, metavar="S",
                         help="seconds of silence")  # fmt: skip
    limit_options(command)
    command.add_argument("--exit-code", action="store_true", help="end with 1 where the verdict is fail")
    json_option(command)


def _check(options: argparse.Namespace) -> int:
    folder = options.folder.absolute()
    output = (options.output or folder / f"check-{options.check}").absolute()
    try:
        told = run_check(_spec(options, folder, output), options.state, echo_aside if options.json else echo)
    except ToolError as error:
        _write(output, {"ok": False, "reason": error.sentence, "kind": error.kind, "decisive": list(error.lines)})
        raise
    result = {"ok": True, "reason": "", "kind": "", **told}
    _write(output, result)
    if options.json:
        print_json(result)
    else:
        print(f"{told['verdict']}: {told['summary']}", flush=True)
    return 1 if options.exit_code and told["verdict"] == Verdict.FAIL else 0


def _spec(options: argparse.Namespace, folder: Path, output: Path) -> CheckSpec:
    options.chroot = options.chroot or _built_in(folder)
    limits = replace(DEFAULTS, time_limit=options.time_limit, idle_limit=options.idle_limit, memory=options.memory,
                     disk=options.disk, processes=options.processes, processors=options.processors)  # fmt: skip
    chroot = chroot_spec(options)
    return CheckSpec(
        check=options.check, folder=folder, chroot=chroot, output=output, limits=limits,
        profiles=options.profiles, nocheck=options.nocheck,
        repositories=tuple(each.filled(suite=chroot.suite, architecture=chroot.architecture)
                           for each in options.repository),
        before=options.before and options.before.absolute(), source=options.source, version=options.version,
        binnmu=binnmu_of(options), expect=json.loads(options.expect.read_text()) if options.expect else None,
    )  # fmt: skip


def _built_in(folder: Path) -> str:
    """The chroot that the build noted."""
    try:
        return str(json.loads((folder / RESULT).read_text())["chroot"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder} does not say which chroot its packages were built in.",
                         hint="Say --chroot.") from error  # fmt: skip


def _write(output: Path, result: dict[str, object]) -> None:
    output.mkdir(parents=True, exist_ok=True)
    write_json(output / RESULT, result)


VERBS = (
    Verb(name="check", help="check what a build made", options=_check_options, run=_check, contained=True,
         streams=True),
)  # fmt: skip
