"""Bases: `init`, `refresh`, `info`, `list`, `config`."""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from chroots.engine.archives.mirror import VARIABLE, default_mirror
from chroots.engine.commands.options import (
    chroot_argument,
    chroot_spec,
    echo,
    json_option,
    print_json,
    told_age,
    told_size,
)  # fmt: skip
from chroots.engine.commands.verb import Verb
from chroots.engine.configuration import definitions
from chroots.engine.layers import base, shared
from chroots.engine.layers.base import Layer
from chroots.engine.layers.installed import installed_in
from chroots.engine.sessions import kept
from chroots.engine.sessions.packages import changes
from chroots.engine.spec import ChrootSpec
from chroots.engine.state import State
from debatomic.tools.errors import InputError, ToolError
from debatomic.tools.files import write_json


def _init_options(command: argparse.ArgumentParser) -> None:
    chroot_argument(command)
    command.add_argument("--refresh", action="store_true", help="make it anew even if it is current")
    command.add_argument("--output", type=Path, metavar="DIR", help="gets packages.json and result.json")


def _init(options: argparse.Namespace) -> int:
    try:
        layer = base.ensure(chroot_spec(options), options.state, echo, refresh=options.refresh)
    except ToolError as error:
        _tell(options, {"ok": False, "reason": error.sentence, "kind": error.kind, "decisive": error.lines})
        raise
    if options.output:
        write_json(options.output / "packages.json", installed_in(layer.tree))
    _tell(options, {"ok": True, "reason": "", "kind": "", "base": base.facts(layer)})
    print(f"ready: {options.chroot} {layer.identity[:12]} in {layer.tree}")
    return 0


def _tell(options: argparse.Namespace, result: dict[str, object]) -> None:
    if options.output:
        write_json(options.output / "result.json", {"chroot": options.chroot, **result})


def _refresh_options(command: argparse.ArgumentParser) -> None:
    chroot_argument(command)
    json_option(command)


def _refresh(options: argparse.Namespace) -> int:
    spec = chroot_spec(options)
    old = base.current(options.state.bases / spec.key)
    before = installed_in(old.tree) if old else {}  # read now: the old base goes when the new one is there
    new = base.ensure(spec, options.state, (lambda chunk: None) if options.json else echo, refresh=True)
    found = changes(before, installed_in(new.tree))
    if options.json:
        told = {"chroot": spec.name, "before": old.identity if old else "", "base": base.facts(new), **asdict(found)}
        print_json(told)
        return 0
    for line in found.lines() if old else []:
        print(line)
    print(f"refreshed: {spec.name} {new.identity[:12]}, {_counted(found, old)}")
    return 0


def _counted(found: Any, old: Layer | None) -> str:
    if not old:
        return f"the first one, {len(found.added)} packages"
    counts = f"{len(found.added)} packages added, {len(found.removed)} removed, {len(found.upgraded)} upgraded"
    return counts if found else "the same packages"


def _info(options: argparse.Namespace) -> int:
    spec, state = chroot_spec(options), options.state
    made = base.current(state.bases / spec.key)
    if not made:
        raise InputError(f"The base of {spec.name} has not been made yet.",
                         hint=f"Make it: python -m chroots.engine init {spec.name}")  # fmt: skip
    found = _described(spec, state, made)
    if options.json:
        print_json(found)
    else:
        _print_description(spec, found)
    return 0


def _described(spec: ChrootSpec, state: State, made: Layer) -> dict[str, Any]:
    return {
        "chroot": spec.name, "suite": spec.suite, "architecture": spec.architecture, "variant": spec.variant,
        "folder": str(made.tree.parent), "base": base.facts(made), "packages": installed_in(made.tree),
        "layers": shared.on(state, made), "kept": [asdict(layer) for layer in kept.found(state, spec.name)],
    }  # fmt: skip


def _print_description(spec: ChrootSpec, found: dict[str, Any]) -> None:
    facts, stacked = found["base"], found["layers"]
    made_at = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(facts["made_at"]))
    print(f"chroot:   {spec.name} ({spec.suite} {spec.architecture}, {spec.variant})")
    print(f"base:     {facts['identity']}")
    print(f"digest:   {facts.get('digest', 'not known: made before there were digests')}")
    print(f"folder:   {found['folder']}")
    print(f"made:     {made_at}, {told_age(time.time() - facts['made_at'])} ago, from {facts['mirror']}")
    print(f"size:     {told_size(facts['size'])} in {len(found['packages'])} packages")
    print(f"layers:   {len(stacked)} of build dependencies, {told_size(sum(layer['bytes'] for layer in stacked))}")
    for layer in found["kept"]:
        print(f"kept:     {layer['name']}, used {told_age(time.time() - layer['used_at'])} ago")
    print("packages:")
    for name, version in sorted(found["packages"].items()):
        print(f"  {name} {version}")


def _list_options(command: argparse.ArgumentParser) -> None:
    json_option(command)


def _list(options: argparse.Namespace) -> int:
    found = [_listed(definitions.load(name, options.definitions), options)
             for name in definitions.names(options.definitions)]  # fmt: skip
    if options.json:
        print_json(found)
        return 0
    for one in found:
        print(f"{one['name']}: {one['suite']} {one['architecture']} {one['variant']}, mirror {one['mirror']}, "
              f"base {one['base'][:12] or 'not made yet'}")  # fmt: skip
    return 0


def _listed(spec: ChrootSpec, options: argparse.Namespace) -> dict[str, str]:
    made = base.current(options.state.bases / spec.key)
    return {"name": spec.name, "suite": spec.suite, "architecture": spec.architecture, "variant": spec.variant,
            "mirror": spec.mirror or options.mirror or default_mirror(),
            "base": made.identity if made else ""}  # fmt: skip


def _config(options: argparse.Namespace) -> int:
    spec = asdict(definitions.load(options.chroot, options.definitions))
    origins: dict[str, str] = definitions.origins(options.chroot, options.definitions)
    shown = {key: {"value": value, "origin": origins.get(key, "default")} for key, value in spec.items()
             if key != "name"}  # fmt: skip
    if options.mirror:
        shown["mirror"] = {"value": options.mirror.rstrip("/"), "origin": "--mirror"}
    elif not spec["mirror"]:
        chosen = f"${VARIABLE}" if os.environ.get(VARIABLE) else "this machine's apt"
        shown["mirror"] = {"value": default_mirror(), "origin": chosen}
    for each in shown["repositories"]["value"]:
        each["uris"] = [uri.replace("{mirror}", shown["mirror"]["value"]) for uri in each["uris"]]
    if options.json:
        print_json(shown)
        return 0
    for key, entry in shown.items():
        print(f"{key}: {_yaml(entry['value'])}    # {entry['origin']}")
    return 0


def _yaml(value: object) -> str:
    """A value as a definition would have it, on one line."""
    plain = json.loads(json.dumps(value, default=str))
    text: str = yaml.safe_dump(plain, default_flow_style=True, width=math.inf, sort_keys=False)
    return text.removesuffix("...\n").rstrip()


def _json_chroot(command: argparse.ArgumentParser) -> None:
    chroot_argument(command)
    json_option(command)


VERBS = (
    Verb(name="init", help="make a chroot's base if it is not there", options=_init_options, run=_init, contained=True),
    Verb(name="refresh", help="make a chroot's base anew and say what changed", options=_refresh_options, run=_refresh,
         contained=True, streams=True),
    Verb(name="info", help="a chroot's base: identity, age, size, packages", options=_json_chroot, run=_info),
    Verb(name="list", help="list the chroots that are defined", options=_list_options, run=_list),
    Verb(name="config", help="a chroot's configuration, and where each value comes from", options=_json_chroot,
         run=_config),
)  # fmt: skip
