"""The command line's verbs that mount and enter: run once more in namespaces of their own."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from chroots.engine.state import State
from debatomic.tools.errors import InputError, ToolError
from debatomic.tools.run import PROGRESS_FD_VARIABLE, contained, run

INSIDE_VARIABLE = "DEBATOMIC_PIPELINE_CONTAINED"
TOP = Path(__file__).resolve().parents[3]


def state_of(options: argparse.Namespace) -> State:
    return State(options.state.absolute()) if options.state else State.default()


def told(error: ToolError) -> int:
    for line in error.lines:
        print(f"  {line}", file=sys.stderr)
    print(error.sentence, file=sys.stderr, flush=True)
    return 1


def contained_run(options: argparse.Namespace, given: Sequence[str], work: Callable[[argparse.Namespace], int]) -> int:
    """`work` in namespaces of its own: the same command once more, inside."""
    if os.environ.get(INSIDE_VARIABLE):
        return work(options)
    if os.geteuid() != 0:
        raise InputError("Composes are made by root.", hint="Use sudo.")
    descriptor = os.environ.get(PROGRESS_FD_VARIABLE, "")
    env = {INSIDE_VARIABLE: "1", "PYTHONPATH": os.fspath(TOP)}
    fds = [int(descriptor)] if descriptor.isdigit() else []
    done = run(
        contained([sys.executable, "-m", "composes.pipeline", *given]), check=False, pass_fds=fds,
        env={**env, **({PROGRESS_FD_VARIABLE: descriptor} if fds else {}), **_own_variables()},
        log=lambda chunk: os.write(1, chunk),
    )  # fmt: skip
    return 0 if done.returncode == 0 else 1


def _own_variables() -> dict[str, str]:
    names = ("DEBATOMIC_HOME", "DEBATOMIC_MIRROR")
    return {name: os.environ[name] for name in names if name in os.environ}
