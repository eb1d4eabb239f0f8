"""Comparing with the archive: `compare`."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from chroots.engine.building.comparison import Compared, ComparisonSpec, Verdict, compare, counts, packages_in, told
from chroots.engine.building.diffoscope import DEFAULTS
from chroots.engine.commands.options import chroot_spec, echo, echo_aside, json_option, print_json, size
from chroots.engine.commands.verb import Verb
from chroots.engine.spec import ChrootSpec
from debatomic.tools.errors import InputError, ToolError
from debatomic.tools.files import write_json

RESULT = "result.json"


def _compare_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("path", type=Path, metavar="DIR|CHANGES", help="a folder with packages, or a .changes file")
    where = command.add_mutually_exclusive_group()
    where.add_argument("--chroot", default="", help="compare with this chroot's archives (default: the build's own)")
    where.add_argument("--suite", default="", metavar="S", help="compare with this suite of the mirror")
    command.add_argument("--output", type=Path, metavar="DIR",
                         help="gets result.json and diffoscope's reports (default: DIR/comparison)")  # fmt: skip
    command.add_argument("--time-limit", type=float, default=DEFAULTS.time_limit, metavar="S",
                         help="seconds for one package")  # fmt: skip
    command.add_argument("--memory", type=size, default=DEFAULTS.memory, metavar="SIZE", help="for diffoscope (2G)")
    command.add_argument("--disk", type=size, default=DEFAULTS.disk, metavar="SIZE", help="for diffoscope (4G)")
    command.add_argument("--exit-code", action="store_true", help="end with 1 unless all packages are identical")
    json_option(command)


def _compare(options: argparse.Namespace) -> int:
    folder = options.path if options.path.is_dir() else options.path.parent
    output = (options.output or folder / "comparison").absolute()
    try:
        spec = ComparisonSpec(packages=packages_in(options.path), chroot=_chroot(options, folder), output=output,
                              limits=replace(DEFAULTS, time_limit=options.time_limit, memory=options.memory,
                                             disk=options.disk))  # fmt: skip
        found = compare(spec, options.state, echo_aside if options.json else echo)
    except ToolError as error:
        _write(output, {"ok": False, "reason": error.sentence, "kind": error.kind, "decisive": error.lines})
        raise
    result = {"ok": True, "reason": "", "kind": "", "suite": spec.chroot.suite, "chroot": spec.chroot.name,
              "counts": counts(found), "packages": told(found)}  # fmt: skip
    _write(output, result)
    return _tell(options, found, result)


def _tell(options: argparse.Namespace, found: list[Compared], result: dict[str, object]) -> int:
    if options.json:
        print_json(result)
    else:
        numbers = ", ".join(f"{count} {verdict}" for verdict, count in counts(found).items())
        print(f"compared: {numbers}", flush=True)
    same = all(one.verdict == Verdict.IDENTICAL for one in found)
    return 1 if options.exit_code and not same else 0


def _write(output: Path, result: dict[str, object]) -> None:
    output.mkdir(parents=True, exist_ok=True)
    write_json(output / RESULT, result)


def _chroot(options: argparse.Namespace, folder: Path) -> ChrootSpec:
    if options.suite:
        mirror = options.mirror.rstrip("/")
        return ChrootSpec(name=options.suite, suite=options.suite, architecture="all", mirror=mirror)
    options.chroot = options.chroot or _built_in(folder)
    return chroot_spec(options)


def _built_in(folder: Path) -> str:
    """The chroot that the build beside it notes."""
    try:
        return str(json.loads((folder / RESULT).read_text())["chroot"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder} does not say which chroot its packages were built in.",
                         hint="Say --chroot or --suite.") from error  # fmt: skip


VERBS = (
    Verb(name="compare", help="compare packages with those of the archive", options=_compare_options, run=_compare,
         contained=True, streams=True),
)  # fmt: skip
