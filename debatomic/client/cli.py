"""The command line of `debatomic`."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from debatomic.client import (
    account,
    build_many,
    chains,
    chroots,
    commands,
    differences,
    hosts,
    leaving,
    many,
    policies,
    provenance,
    rebuild,
    releases,
    schedules,
    tables,
    tags,
)
from debatomic.client.hub import Hub
from debatomic.tools.errors import ToolError

ABOUT = """Build Debian packages and compose atomic systems on a DebAtomic hub.

Exit status: 0 done and good; 1 refused, or what was watched failed; 2 wrong command line; 130 interrupted.
DEBATOMIC_HUB and DEBATOMIC_KEY (address and API key) take the place of `debatomic login` in scripts."""


def parser() -> ArgumentParser:
    """All commands and their options."""
    main = ArgumentParser(prog="debatomic", description=ABOUT, formatter_class=RawDescriptionHelpFormatter)
    every = main.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, does: Callable[..., bool], about: str) -> ArgumentParser:
        made = every.add_parser(name, help=about, description=about)
        made.add_argument("--json", action="store_true", help="answer with JSON on standard output")
        made.set_defaults(does=does)
        return made

    _login(command("login", commands.login, "sign in to a hub and keep an API key for it"))
    _build(command("build", commands.build, "submit a build"))
    build_many.options(command("build-many", build_many.run, "submit builds by list or pattern"))
    rebuild.options(command("rebuild", rebuild.run, "make packages of builds anew, of the same source (binNMU)"))
    _compose(command("compose", commands.compose, "submit a compose"))
    for name, does, about in (
        ("watch", commands.watch, "follow the log to the end; the exit status says whether it was a good one"),
        ("cancel", commands.cancel, "stop what waits or runs"),
        ("retry", commands.retry, "run what failed again"),
    ):
        _thing(command(name, does, about), ["build", "compose", "task"])
    chains.options(command("chain", chains.run, "build source packages that need each other, in order"))
    chroots.options(command("chroot", commands.chroot, "make, refresh or remove a chroot, or try something in it"))
    hosts.options(command("host", hosts.run, "list and show hosts, have them in or out of service, add one"))
    schedules.options(command("schedule", schedules.run, "list, make and change what is submitted by itself"))
    many.tasks_options(command("tasks", many.tasks, "cancel or retry many tasks"))
    many.resubmit_options(command("resubmit", many.resubmit, "submit the same again, with changes"))
    many.priority_options(command("priority", many.priority, "move a task in the queue"))
    releases.options(command("release", commands.release, "promote a compose to a release channel, or withdraw it"))
    leaving.options(command("leaving", leaving.run, "what retention removes next, and how to keep a build"))
    provenance.files_options(command("files", provenance.files, "find a file among all packages that were built"))
    differences.options(command("difference", differences.run, "what a build has otherwise than another of its source"))
    provenance.attestation_options(
        command("attestation", provenance.attestation, "fetch a build's signed statements, verify packages with them")
    )
    tags.options(command("tag", tags.run, "what is in tags, since when; tag, move, block, lock"))
    policies.options(command("policy", policies.run, "promote builds from tag to tag, or see what holds them back"))
    _download(command("download", commands.download, "fetch the files that were kept, verified"))
    _list(command("list", commands.listing, "list builds, composes, tasks, hosts, …"))
    return main


def _login(made: ArgumentParser) -> None:
    made.add_argument("address", nargs="?", metavar="ADDRESS", help="of the hub: https://hub.example.org")
    made.add_argument("--user", metavar="NAME", help="who signs in (asked for otherwise)")
    made.add_argument("--key", action="store_true", help="paste or pipe in an API key instead of a password")
    made.add_argument("--days", type=int, default=90, help="how long the new key is valid (90)")


def _build(made: ArgumentParser) -> None:
    made.add_argument(
        "source", metavar="SOURCE|PATH.dsc|URL",
        help="a source package of the archive, one on this machine, or a git repository with debian/ in it",
    )  # fmt: skip
    made.add_argument("--ref", default="HEAD", metavar="REF", help="of a git repository: branch, tag or commit (HEAD)")
    made.add_argument("--target", required=True, metavar="T", help="what to build for")
    made.add_argument("--priority", type=int, metavar="N", help="lower runs first; 20 is usual (of the archive only)")
    made.add_argument("--after", type=int, nargs="+", metavar="ID", help="builds to wait for (of the archive only)")
    made.add_argument("--version", default="", metavar="V", help="which version of the archive (the newest)")
    made.add_argument("--scratch", action="store_true", help="try it: the result is never tagged")
    made.add_argument("--architecture", dest="architectures", action="append", default=[], metavar="A",
                      help="only this one of the target's (may be repeated)")  # fmt: skip
    rebuild.submit_options(made)
    made.add_argument("--watch", action="store_true", help="follow the log to the end")


def _compose(made: ArgumentParser) -> None:
    made.add_argument("definition", metavar="DEFINITION")
    made.add_argument("--variant", required=True, metavar="V")
    made.add_argument("--architecture", action="append", metavar="A", help="only this one (may be repeated)")
    made.add_argument("--only", action="append", metavar="W", help="only this phase or deliverable")
    made.add_argument("--skip", action="append", metavar="W", help="without this one; nothing is published then")
    made.add_argument("--watch", action="store_true", help="follow the log to the end")


def _thing(made: ArgumentParser, words: list[str]) -> None:
    made.add_argument("thing", nargs="?", choices=words, default="build", help="what the ID is of (build)")
    made.add_argument("id", type=int, metavar="ID")


def _download(made: ArgumentParser) -> None:
    _thing(made, ["build", "compose", "task", "artifact"])
    made.add_argument("--output", type=Path, default=Path(), metavar="DIR", help="the folder to put it in (here)")
    made.add_argument(
        "--kind", action="append", metavar="K", help="only this kind: binary, log, image, … (may be repeated)"
    )


def _list(made: ArgumentParser) -> None:
    made.add_argument("what", choices=sorted(tables.COLUMNS))
    made.add_argument("--state", action="append", metavar="S", help="only in this state (may be repeated)")
    made.add_argument("--cause", action="append", metavar="C", help="only what failed so: dep-wait, test, …")
    made.add_argument("--target", metavar="T", help="only builds for this target")
    made.add_argument("--by", dest="created_by", metavar="NAME", help="only what this person submitted")
    made.add_argument("--limit", type=int, default=20, metavar="N", help="at most so many, newest first (20)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    asked = parser().parse_args(arguments)
    try:
        return 0 if _run(asked) else 1
    except ToolError as error:
        print(f"debatomic: {error.sentence}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `debatomic list … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run(asked: Namespace) -> bool:
    does: Callable[..., Any] = asked.does
    if does is commands.login:
        return bool(does(asked))
    hub = Hub(account.load())
    try:
        return bool(does(asked, hub))
    finally:
        hub.close()
