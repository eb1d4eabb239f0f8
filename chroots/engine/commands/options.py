"""Options that several verbs share, and what their words mean."""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from chroots.engine.configuration import definitions
from chroots.engine.spec import ChrootSpec, Limits
from chroots.engine.state import State

UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
DEFAULTS = Limits()


def common() -> argparse.ArgumentParser:
    """The options of every verb."""
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument(
        "--state", type=_state, default=State.default(), metavar="DIR",
        help="where bases, layers and downloads are kept (default: $DEBATOMIC_HOME/host or var/host)",
    )  # fmt: skip
    options.add_argument(
        "--mirror", default="", metavar="URL", help="the Debian mirror (default: the one this machine uses)"
    )
    options.add_argument(
        "--definitions", type=Path, default=definitions.DEFINITIONS, metavar="DIR", help="chroot definitions"
    )
    return options


def nothing(command: argparse.ArgumentParser) -> None:
    """The options of a verb that has none of its own."""


def chroot_argument(command: argparse.ArgumentParser) -> None:
    command.add_argument("chroot", metavar="CHROOT")


def json_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="for programs: JSON on standard output")


def limit_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--memory", type=size, metavar="SIZE", help="e.g. 4G (default: three quarters of the host's)")
    command.add_argument(
        "--disk", type=size, default=DEFAULTS.disk, metavar="SIZE", help="what may be written (default: 16G)"
    )
    command.add_argument("--processors", type=number, metavar="N", help="kept busy at most, as 0.5 (default: all)")
    command.add_argument("--processes", type=int, default=DEFAULTS.processes, metavar="N", help="at once (4096)")


def number(text: str) -> float:
    """A number above 0."""
    value = float(text)
    if not 0.01 <= value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0.01 on")
    return value


def size(text: str) -> int:
    """Bytes of `512M`, `4G` and the like."""
    match = re.fullmatch(r"(\d+)([kmgt]?)(?:i?b)?", text.strip().lower())
    if not match or not int(match[1]):
        raise argparse.ArgumentTypeError(f"'{text}' is not a size; write for example 512M or 4G")
    return int(match[1]) * UNITS[match[2]]


def _state(text: str) -> State:
    return State(Path(text).absolute())


def chroot_spec(options: argparse.Namespace) -> ChrootSpec:
    """The chroot the options name, with the mirror they name."""
    spec = definitions.load(options.chroot, options.definitions)
    return replace(spec, mirror=options.mirror.rstrip("/")) if options.mirror else spec


def echo(chunk: bytes) -> None:
    sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def echo_aside(chunk: bytes) -> None:
    """For verbs whose standard output is data."""
    sys.stderr.buffer.write(chunk)
    sys.stderr.buffer.flush()


def print_json(content: Any) -> None:
    print(json.dumps(content, indent=2, sort_keys=True, default=str), flush=True)


def told_size(count: int) -> str:
    """Bytes for people: `461 MiB`."""
    amount, units = float(count), iter(("bytes", "KiB", "MiB", "GiB"))
    unit = next(units)
    for larger in units:
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 100 else f"{amount:.1f} {unit}"


def told_age(seconds: float) -> str:
    """Seconds for people: `3 hours`."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{int(max(0.0, seconds))} seconds"
