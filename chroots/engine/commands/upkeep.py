"""Keeping a host in order: `doctor`, `sweep`, `clean`, `scrub`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chroots.engine.commands.options import chroot_spec, json_option, nothing, print_json, told_size
from chroots.engine.commands.verb import Verb
from chroots.engine.doctor import can_build, examine
from chroots.engine.layers.scrub import Part, scrub
from chroots.engine.layers.sweep import sweep
from chroots.engine.sessions import kept
from chroots.engine.sessions.kept import Kept
from chroots.engine.state import directory_size
from debatomic.tools.errors import InputError
from debatomic.tools.files import write_json


def _sweep(options: argparse.Namespace) -> int:
    removed = sweep(options.state)
    print(f"swept: {len(removed)} folders")
    return 0


def _doctor_options(command: argparse.ArgumentParser) -> None:
    json_option(command)
    _output_option(command)


def _output_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--output", type=Path, metavar="DIR",
                         help="gets result.json; the exit status then only says whether there is one")  # fmt: skip


def _status(options: argparse.Namespace, found: Mapping[str, Any], status: int) -> int:
    """What was found goes into the file that was asked for."""
    if not options.output:
        return status
    write_json(options.output / "result.json", {"ok": not status, **found})
    return 0


def _doctor(options: argparse.Namespace) -> int:
    checks = []
    for check in examine(options.state, options.mirror):
        checks.append(check)
        if not options.json:
            print(check.line, flush=True)
    ready = can_build(checks)
    found = {"can_build": ready, "checks": [asdict(check) for check in checks]}
    if options.json:
        print_json(found)
    else:
        print("ready: builds can run here" if ready else "failed: Builds cannot run here; mend what is missing first.")
    return _status(options, found, 0 if ready else 1)


def _one_or_all(command: argparse.ArgumentParser) -> None:
    command.add_argument("chroot", nargs="?", default="", metavar="CHROOT")
    command.add_argument("--all", action="store_true", help="of every chroot")
    json_option(command)
    _output_option(command)


def _require_one_or_all(options: argparse.Namespace) -> None:
    if bool(options.chroot) == options.all:
        raise InputError("Name one chroot, or say --all.")


def _clean_options(command: argparse.ArgumentParser) -> None:
    _one_or_all(command)
    command.add_argument("--keep", default="", metavar="NAME", help="only this kept layer")


def _clean(options: argparse.Namespace) -> int:
    _require_one_or_all(options)
    sizes, stayed = 0, []
    removed = []
    for layer in _chosen(options):
        size = directory_size(layer.upper)
        if kept.remove(layer, options.state):
            removed.append(f"{layer.chroot}/{layer.name}")
            sizes += size
        else:
            stayed.append(f"{layer.chroot}/{layer.name}")
    found = {"removed": removed, "bytes": sizes, "in_use": stayed}
    if options.json:
        print_json(found)
        return _status(options, found, 1 if stayed else 0)
    for name in stayed:
        print(f"in use: {name}")
    print(f"cleaned: {len(removed)} kept layers, {told_size(sizes)} freed")
    return _status(options, found, 1 if stayed else 0)


def _chosen(options: argparse.Namespace) -> list[Kept]:
    found = kept.found(options.state, options.chroot or "*")
    if not options.keep:
        return found
    if chosen := [layer for layer in found if layer.name == options.keep]:
        return chosen
    known = ", ".join(layer.name for layer in found) or "none"
    raise InputError(f"There is no kept layer '{options.keep}'.", hint=f"There are: {known}.")


def _scrub_options(command: argparse.ArgumentParser) -> None:
    _one_or_all(command)
    command.add_argument("--only", action="append", type=Part, choices=list(Part), metavar="PART",
                         help="bases, layers, ccache or downloads (those only with --all); may be given several times",
                         )  # fmt: skip


def _scrub(options: argparse.Namespace) -> int:
    _require_one_or_all(options)
    parts = set(options.only or Part)
    if options.chroot and Part.DOWNLOADS in (options.only or ()):
        raise InputError("Downloads are shared by all chroots.", hint="Remove them with: scrub --all --only downloads")
    freed = scrub(options.state, chroot_spec(options) if options.chroot else None, parts)
    status = 1 if freed.stayed else 0
    if options.json:
        print_json(asdict(freed))
        return _status(options, asdict(freed), status)
    for reason in freed.stayed:
        print(f"stayed: {reason}")
    counts = ", ".join(f"{count} {part}" for part, count in freed.counts.items()) or "nothing"
    print(f"scrubbed: {counts}, {told_size(freed.bytes)} freed")
    return _status(options, asdict(freed), status)


VERBS = (
    Verb(
        name="doctor", help="what this host can and cannot do, and how to mend it", options=_doctor_options, run=_doctor
    ),
    Verb(name="sweep", help="remove what killed builds left behind", options=nothing, run=_sweep, alters=True),
    Verb(name="clean", help="remove kept layers", options=_clean_options, run=_clean, alters=True),
    Verb(name="scrub", help="remove bases, dependency layers, compiler caches and downloads", options=_scrub_options,
         run=_scrub, alters=True),
)  # fmt: skip
