"""`debatomic build-many`: source packages of the archive by list or pattern."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from debatomic.client.answers import answer
from debatomic.client.hub import Hub
from debatomic.client.screen import harmless
from debatomic.tools.errors import InputError


def options(made: ArgumentParser) -> None:
    made.add_argument("sources", nargs="*", metavar="SOURCE", help="a name, NAME=VERSION, or a pattern as 'lib*-perl'")
    made.add_argument(
        "--list", metavar="FILE", help="one a line: a name, a name and a version, or a pattern; - is stdin"
    )
    made.add_argument("--reverse-build-depends", action="append", default=[], metavar="PKG",
                      help="all that build-depends on it, or on any of src:NAME (may be repeated)")  # fmt: skip
    made.add_argument("--target", required=True, metavar="T", help="what to build for")
    made.add_argument("--priority", type=int, metavar="N", help="lower runs first; 20 is usual")
    made.add_argument("--scratch", action="store_true", help="try them: the results are never tagged")
    made.add_argument("--architecture", dest="architectures", action="append", default=[], metavar="A",
                      help="only this one of the target's (may be repeated)")  # fmt: skip
    made.add_argument("--binnmu-reason", metavar="TEXT",
                      help="make them binary rebuilds (binNMU), versions X+bN; their changelogs say this")  # fmt: skip
    made.add_argument("--submit", choices=("all", "good"), default="nothing",
                      help="all: unless one is refused; good: those that are not (without: only look)")  # fmt: skip


def run(asked: Namespace, hub: Hub) -> bool:
    """Look at them, or submit them; whether none was refused."""
    told: dict[str, Any] = {"sources": asked.sources + _listed(asked.list), "target": asked.target,
                            "scratch": asked.scratch, "submit": asked.submit, "priority": asked.priority}  # fmt: skip
    if asked.architectures:
        told["architectures"] = asked.architectures
    if asked.reverse_build_depends:
        told["reverse_build_depends"] = asked.reverse_build_depends
    if asked.binnmu_reason:
        told["binnmu_reason"] = asked.binnmu_reason
    found = hub.submit("builds/many/", json=told)
    answer(asked, found, "\n".join(_lines(asked, found)))
    return not found["refused"]


def _listed(name: str | None) -> list[str]:
    if not name:
        return []
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text()
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}.") from None
    return [line for line in text.splitlines() if line.partition("#")[0].strip()]


def _lines(asked: Namespace, found: dict[str, Any]) -> list[str]:
    lines = [f"Build {one['id']}: {one['source']} {one['version']} — {one['page']}" for one in found["builds"]]
    if not found["builds"]:
        lines += [f"good: {one['source']} {one['version']}" for one in found["good"]]
    lines += [f"refused: {one['source']}: {harmless(one['why'], colours=False)}" for one in found["refused"]]
    if not found["builds"] and found["good"]:
        word = "good" if found["refused"] else "all"
        lines.append(f"Nothing was submitted; --submit {word} does it.")
    return lines
