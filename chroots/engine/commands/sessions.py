"""Working in a chroot by hand: `shell`, `run`, `install`, `copy-in`, `copy-out`, `diff`."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path

from chroots.engine.commands.options import (
    chroot_argument,
    chroot_spec,
    echo,
    echo_aside,
    json_option,
    limit_options,
    print_json,
    size,
    told_size,
)  # fmt: skip
from chroots.engine.commands.verb import Verb
from chroots.engine.sessions.copy_in import copy_in
from chroots.engine.sessions.copy_out import copy_out
from chroots.engine.sessions.difference import difference
from chroots.engine.sessions.installing import install
from chroots.engine.sessions.session import BY_HAND, Session, looking, working
from chroots.engine.spec import BUILDER_UID
from debatomic.tools.errors import InputError
from debatomic.tools.run import Output

USERS = {"root": (0, "/root"), "builder": (BUILDER_UID, "/build")}  # with the folder each begins in
ENGINE_FAILED = 125  # the command was not run; its own statuses are its own
OUT_OF_MEMORY = "failed: The memory limit of {} was reached: the kernel killed {} processes."
OUT_OF_TIME = "failed: The program did not end within its time limit of {:g} s and was killed."


def _session(options: argparse.Namespace, log: Output, *, make: bool = True) -> Session:
    limits = BY_HAND
    if "memory" in options:
        limits = replace(BY_HAND, memory=options.memory, disk=options.disk, processes=options.processes,
                         processors=options.processors, time_limit=options.time_limit)  # fmt: skip
    return Session(chroot=chroot_spec(options), state=options.state, log=log, keep=options.keep, make=make,
                   limits=limits)  # fmt: skip


def _keep_option(command: argparse.ArgumentParser, *, required: bool = False) -> None:
    command.add_argument("--keep", default="", required=required, metavar="NAME",
                         help="the writable layer to go on in; begun where there is none of that name")  # fmt: skip


def _user_option(command: argparse.ArgumentParser, default: str = "root") -> None:
    command.add_argument("--user", choices=list(USERS), default=default, help=f"default: {default}")


def _shell_options(command: argparse.ArgumentParser) -> None:
    chroot_argument(command)
    _keep_option(command)
    _user_option(command)
    command.add_argument("--network", action="store_true", help="the host's network; without it there is only loopback")
    command.add_argument("--time-limit", type=float, metavar="S", help="seconds (none)")
    limit_options(command)


def _run_options(command: argparse.ArgumentParser) -> None:
    _shell_options(command)
    command.add_argument("words", nargs="+", metavar="-- CMD", help="the program and its arguments")


def _shell(options: argparse.Namespace) -> int:
    return _attached(options, ["/bin/bash" if _has_bash(options) else "/bin/sh", "-i"])


def _has_bash(options: argparse.Namespace) -> bool:
    return chroot_spec(options).variant not in ("custom", "extract")


def _run(options: argparse.Namespace) -> int:
    return _attached(options, options.words)


def _attached(options: argparse.Namespace, words: list[str]) -> int:
    user, folder = USERS[options.user]
    environment = {"HOME": folder, "USER": options.user, "LOGNAME": options.user,
                   "TERM": os.environ.get("TERM", "dumb")}  # fmt: skip
    with working(_session(options, echo_aside)) as (root, _):
        status = root.attached(words, user=user, folder=folder, environment=environment, network=options.network)
        if kills := root.warden.group.memory_kills():
            print(OUT_OF_MEMORY.format(told_size(root.warden.group.memory), kills), file=sys.stderr)
        if root.warden.remaining() == 0:
            print(OUT_OF_TIME.format(options.time_limit), file=sys.stderr)
    return status


def _install_options(command: argparse.ArgumentParser) -> None:
    chroot_argument(command)
    _keep_option(command, required=True)
    command.add_argument("packages", nargs="+", metavar="PKG", help="a package's name, or name=version")
    command.add_argument("--recommends", action="store_true", help="and what they recommend")


def _install(options: argparse.Namespace) -> int:
    with working(_session(options, echo)) as (root, work):
        debs = install(root, options.packages, options.state, work, recommends=options.recommends,
                       repositories=chroot_spec(options).repositories)  # fmt: skip
    print(f"installed: {len(debs)} packages in {options.keep} of {options.chroot}", flush=True)
    return 0


def _copy_in_options(command: argparse.ArgumentParser) -> None:
    chroot_argument(command)
    _keep_option(command, required=True)
    _user_option(command)
    command.add_argument("sources", nargs="+", type=Path, metavar="FILE", help="files and folders of this host")
    command.add_argument("place", metavar="PLACE", help="where in the chroot, from /")


def _copy_in(options: argparse.Namespace) -> int:
    owner = USERS[options.user][0]
    with looking(_session(options, echo)) as (tree, _):
        count = copy_in(tree, options.sources, _from_root(options.place), owner=owner)
    print(f"copied: {count} files to {options.place} in {options.keep} of {options.chroot}", flush=True)
    return 0


def _from_root(path: str) -> str:
    if not path.startswith("/"):
        raise InputError(f"The place {path} in the chroot must begin with /.")
    return path


def _copy_out_options(command: argparse.ArgumentParser) -> None:
    chroot_argument(command)
    _keep_option(command)
    command.add_argument("place", metavar="PLACE", help="what to copy, from / of the chroot")
    command.add_argument("target", type=Path, metavar="TARGET", help="a new name here, or a folder to copy into")
    command.add_argument("--disk", type=size, default=BY_HAND.disk, metavar="SIZE", help="at most that much (16G)")


def _copy_out(options: argparse.Namespace) -> int:
    place, target = _from_root(options.place), options.target.absolute()
    if target.is_dir():
        target /= Path(place).name
    with looking(_session(options, echo, make=False)) as (tree, _):
        done = copy_out(tree, place, target, limit=options.disk)
    for name in done.left_out:
        print(f"left out: {name}")
    print(f"copied: {done.files} files to {target}", flush=True)
    return 0


def _diff_options(command: argparse.ArgumentParser) -> None:
    chroot_argument(command)
    _keep_option(command, required=True)
    json_option(command)


def _diff(options: argparse.Namespace) -> int:
    with looking(_session(options, echo_aside, make=False)) as (tree, base):
        found = difference(base.tree, tree)
    if options.json:
        print_json({"chroot": options.chroot, "keep": options.keep, "base": base.identity, **asdict(found)})
        return 0
    for sign, paths in (("A", found.added), ("C", found.changed), ("D", found.removed)):
        for path in paths:
            print(f"{sign} {path!r}" if not path.isprintable() else f"{sign} {path}")
    for line in found.packages.lines():
        print(f"P {line}")
    print(f"differs: {len(found.added)} added, {len(found.changed)} changed, {len(found.removed)} removed, "
          f"{len(found.packages.lines())} packages", file=sys.stderr)  # fmt: skip
    return 0


VERBS = (
    Verb(name="shell", help="a shell in a buildroot over the base", options=_shell_options, run=_shell, contained=True,
         streams=True, trouble=ENGINE_FAILED),
    Verb(name="run", help="run a program in a buildroot over the base", options=_run_options, run=_run, contained=True,
         streams=True, trouble=ENGINE_FAILED),
    Verb(name="install", help="install packages into a kept layer", options=_install_options, run=_install,
         contained=True),
    Verb(name="copy-in", help="copy files into a kept layer", options=_copy_in_options, run=_copy_in, contained=True),
    Verb(name="copy-out", help="copy files out of a kept layer, or of the base", options=_copy_out_options,
         run=_copy_out, contained=True),
    Verb(name="diff", help="what a kept layer changed against its base", options=_diff_options, run=_diff,
         contained=True, streams=True),
)  # fmt: skip
