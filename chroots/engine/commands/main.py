"""The command line: `python -m chroots.engine VERB …`."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import FrameType

from chroots.engine.commands import bases, building, checking, comparing, sessions, trying, upkeep
from chroots.engine.commands.options import common
from chroots.engine.doctor import PROGRAMS
from chroots.engine.isolation.contain import adopt_streams, contained_call, is_contained, temporary_files
from chroots.engine.isolation.unprivileged import is_host_root, obstacle
from chroots.engine.layers.overlay import file_system
from chroots.engine.layers.sweep import sweep
from chroots.engine.state import State
from debatomic.tools.errors import Canceled, InputError, ToolError
from debatomic.tools.run import contained, not_installed, plain_environment, run

VERBS = (*building.VERBS, *comparing.VERBS, *checking.VERBS, *bases.VERBS, *sessions.VERBS, *trying.VERBS,
         *upkeep.VERBS)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; its exit status. The last line printed says what came of it."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = parser().parse_args(arguments)
    os.umask(0o022)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _canceled)
    alone = options.verb.contained or (options.verb.alters and os.geteuid() != 0)
    if alone and not is_contained():
        return _told(options, partial(_run_contained, options, arguments))
    return _run(options)


def _told(options: argparse.Namespace, act: Callable[[], int]) -> int:
    """The status of `act`; why it could not be done is told."""
    try:
        return act()
    except ToolError as error:
        told = sys.stderr if options.verb.streams else sys.stdout
        for line in error.lines:
            print(line, file=told)
        print(f"failed: {error.sentence}", file=told, flush=True)
        return int(options.verb.trouble)


def _run_contained(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    check_host(options.state)
    by_root = os.geteuid() == 0
    if by_root:
        sweep(options.state)
    clean = partial(sweep if by_root else sweep_contained, options.state)
    return contained_call(partial(_run, options), clean, again=["-m", "chroots.engine", *arguments],
                          streams=options.verb.streams or options.verb.alters)  # fmt: skip


def _run(options: argparse.Namespace) -> int:
    """Do it here; in a contained process, temporary files go with it, too."""
    adopt_streams()
    if options.verb.contained and not is_host_root():
        sweep(options.state)  # outside, what it finds would belong to ids that are not ours
    with temporary_files(options.state.root) if options.verb.contained else nullcontext():
        return _told(options, partial(options.verb.run, options))


def sweep_contained(state: State) -> None:
    """As `sweep`, by a user: only in a namespace do the ids belong to them."""
    command = [sys.executable, "-m", "chroots.engine", "sweep", "--state", os.fspath(state.root)]
    run(contained(command), env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}, check=False)


def _canceled(number: int, frame: FrameType | None) -> None:
    for again in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(again, signal.SIG_IGN)
    raise Canceled(f"Canceled by {signal.Signals(number).name}.")


def check_host(state: State) -> None:
    """Refuse what cannot work, before anything is done."""
    if os.geteuid() != 0 and (found := obstacle()):
        raise InputError(f"Without root, the engine cannot work here: {found.sentence}.",
                         hint=f"As root: {found.mend}. Or run it with sudo.")  # fmt: skip
    if os.geteuid() != 0:
        _require_own(state.root)
    if file_system(state.root, Path("/proc/self/mountinfo").read_text()) == "overlay":
        raise InputError(f"The state folder {state.root} is on an overlay file system, which cannot hold layers.",
                         hint="Choose a folder on a disk, with --state or DEBATOMIC_HOME.")  # fmt: skip
    for program in PROGRAMS:
        if not shutil.which(program, path=plain_environment()["PATH"]):
            raise not_installed(program)


def _require_own(folder: Path) -> None:
    """Refuse a state folder that is somebody else's, or cannot be made."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not os.access(there, os.W_OK) or (there == folder and there.stat().st_uid != os.geteuid()):
        raise InputError(f"The state folder {folder} is not yours.", hint="Choose another with --state.")


def parser() -> argparse.ArgumentParser:
    """The options of all verbs."""
    top = argparse.ArgumentParser(
        prog="python -m chroots.engine", description="Build Debian packages in isolated chroots."
    )
    shared = common()
    verbs = top.add_subparsers(required=True, metavar="VERB")
    for verb in VERBS:
        command = verbs.add_parser(verb.name, parents=[shared], help=verb.help, description=f"{verb.help}.")
        verb.options(command)
        command.set_defaults(verb=verb)
    return top
