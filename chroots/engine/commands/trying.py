"""Trying something in a fresh buildroot: `try`."""

from __future__ import annotations

import argparse
from pathlib import Path

from chroots.engine.commands.options import DEFAULTS, chroot_argument, chroot_spec, echo, limit_options, size
from chroots.engine.commands.verb import Verb
from chroots.engine.sessions.trial import MOST_COPIED, USERS, Trial, attempt
from chroots.engine.spec import Limits
from debatomic.tools.errors import InputError


def _options(command: argparse.ArgumentParser) -> None:
    chroot_argument(command)
    command.add_argument("--output", type=Path, required=True, metavar="DIR",
                         help="gets what is copied out, difference.json, try.log, result.json")  # fmt: skip
    command.add_argument("--install", action="append", default=[], metavar="PKG",
                         help="a package's name, or name=version; may be given several times")  # fmt: skip
    command.add_argument("--recommends", action="store_true", help="and what they recommend")
    command.add_argument("--copy-in", action="append", default=[], type=Path, metavar="FILE",
                         help="a file or folder of this host; may be given several times")  # fmt: skip
    command.add_argument("--at", default="/build", metavar="PLACE",
                         help="the folder they go to, where the script begins (/build)")  # fmt: skip
    command.add_argument("--copy-out", action="append", default=[], metavar="PLACE",
                         help=f"a file, or a folder (comes packed), {MOST_COPIED >> 30} GiB in all; may be given "
                              "several times")  # fmt: skip
    command.add_argument("--user", choices=list(USERS), default="builder", help="who runs the script (builder)")
    command.add_argument("--network", action="store_true", help="the host's network; without it there is only loopback")
    command.add_argument("--time-limit", type=float, default=DEFAULTS.time_limit, metavar="S", help="seconds")
    command.add_argument("--idle-limit", type=float, default=DEFAULTS.idle_limit, metavar="S",
                         help="seconds of silence")  # fmt: skip
    command.add_argument("--log-limit", type=size, default=DEFAULTS.log, metavar="SIZE", help="of the log (512M)")
    limit_options(command)
    command.add_argument("--run", dest="script", default="", metavar="SCRIPT",
                         help="lines of a shell: /bin/sh -ex runs them")  # fmt: skip


def trial(options: argparse.Namespace) -> Trial:
    """What the options ask for."""
    limits = Limits(time_limit=options.time_limit, idle_limit=options.idle_limit, memory=options.memory,
                    disk=options.disk, processes=options.processes, processors=options.processors,
                    log=options.log_limit)  # fmt: skip
    for path in (options.at, *options.copy_out):
        if not path.startswith("/"):
            raise InputError(f"The place {path} in the chroot must begin with /.")
    return Trial(
        chroot=chroot_spec(options), output=options.output.absolute(), packages=tuple(options.install),
        recommends=options.recommends, files=tuple(options.copy_in), place=options.at, script=options.script,
        user=options.user, network=options.network, wanted=tuple(options.copy_out), limits=limits,
    )  # fmt: skip


def _try(options: argparse.Namespace) -> int:
    told = attempt(trial(options), options.state, echo=echo)
    if told.ok:
        status = "" if told.status is None else f", the script ended with status {told.status}"
        print(f"tried: {len(told.files)} files in {options.output}{status}", flush=True)
    return 0 if told.ok else 1


VERBS = (
    Verb(name="try", help="install, copy in, run and copy out in a fresh buildroot; and what that changed",
         options=_options, run=_try, contained=True),
)  # fmt: skip
