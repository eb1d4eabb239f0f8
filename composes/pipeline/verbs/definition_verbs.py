"""The verbs about treefiles: check, show, diff, schema, comps."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from chroots.engine.archives.fetch import Store
from chroots.engine.archives.mirror import default_mirror
from chroots.engine.archives.release import fetch_release
from chroots.engine.state import State
from composes.pipeline import compare
from composes.pipeline.contents import changes, objects, record
from composes.pipeline.contents.changes import Changes
from composes.pipeline.packages import lock
from composes.pipeline.packages.indexes import Source, packages_text
from composes.pipeline.treefiles import comps, treefile
from composes.pipeline.treefiles.schema import TREEFILE
from composes.pipeline.treefiles.shown import as_treefile, differences, text
from composes.pipeline.treefiles.treefile import Repository, Tree
from debatomic.tools.errors import InputError


def add(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser], shared: Callable[[argparse.ArgumentParser], None]
) -> None:
    """The verbs with their options; `shared` adds those about state and archive."""
    check = verbs.add_parser("check", help="validate a treefile, every variant for every architecture")
    check.add_argument("treefile", type=Path)
    show = verbs.add_parser("show", help="a variant resolved, as a plain treefile")
    show.add_argument("treefile", type=Path)
    show.add_argument("--format", choices=["yaml", "json"], default="yaml", help="(default: %(default)s)")
    _variant(show)
    diff = verbs.add_parser("diff", help="what a variant has otherwise than another, or than in another treefile")
    diff.add_argument("old", type=Path)
    diff.add_argument("new", type=Path)
    _variant(diff)
    diff.add_argument("--new-variant", default="", metavar="V", help="(default: the same)")
    diff.add_argument("--new-architecture", default="", metavar="A", help="(default: the same)")
    locks = verbs.add_parser("compare", help="what a compose's folder, or a lock, has otherwise than an older one")
    locks.add_argument("old", type=Path)
    locks.add_argument("new", type=Path)
    locks.add_argument("--format", choices=["text", "json"], default="text", help="(default: %(default)s)")
    verbs.add_parser("schema", help="the JSON schema of treefiles")
    groups = verbs.add_parser("comps", help="compare package groups with the archive's tasks and metapackages")
    groups.add_argument("file", type=Path)
    groups.add_argument("--suite", default="trixie", help="(default: %(default)s)")
    groups.add_argument("--architecture", default="amd64", help="(default: %(default)s)")
    groups.add_argument("--take", action="store_true", help="write the difference into the file")
    shared(groups)


def _variant(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--variant", required=True)
    verb.add_argument("--architecture", default="amd64", help="(default: %(default)s)")


def check(options: argparse.Namespace, _: Sequence[str]) -> int:
    content = treefile.load(options.treefile)
    pairs = itertools.product(treefile.variants(content), treefile.architectures(content))
    checked = [treefile.resolve(content, variant, architecture) for variant, architecture in pairs]
    if not checked:
        raise InputError(f"{options.treefile} has no variants, or no architectures.")
    for tree in checked:
        print(f"{tree.variant} for {tree.architecture}: {tree.suite}, {len(tree.packages)} packages named, {tree.ref}")
    return 0


def show(options: argparse.Namespace, _: Sequence[str]) -> int:
    tree = _tree(options.treefile, options.variant, options.architecture)
    sys.stdout.write(text(as_treefile(tree), options.format))
    return 0


def diff(options: argparse.Namespace, _: Sequence[str]) -> int:
    old = _tree(options.old, options.variant, options.architecture)
    new = _tree(options.new, options.new_variant or options.variant, options.new_architecture or options.architecture)
    for line in differences(old, new):
        print(line)
    return 0


def schema(_: argparse.Namespace, __: Sequence[str]) -> int:
    print(json.dumps(TREEFILE, indent=2))
    return 0


def compare_locks(options: argparse.Namespace, _: Sequence[str]) -> int:
    found = compare.compare(*(lock.read(_lock_of(each)) for each in (options.old, options.new)))
    more = _changes(options.old, options.new)
    if options.format == "json":
        print(json.dumps({**found.as_json(), "changes": more and more.as_json()}, indent=2))
    else:
        print("\n".join([*found.lines(), *(more.lines() if more else ())]))
    return 0


def _lock_of(path: Path) -> Path:
    return path / "lock.json" if path.is_dir() else path


def _changes(*folders: Path) -> Changes | None:
    """What the records of two composes say; None where one of them has none."""
    files = [(folder / record.NAME, folder / record.OBJECTS) for folder in folders]
    if not all(path.is_file() for pair in files for path in pair):
        return None
    old, new = (objects.read(record.unpacked(path)) for _, path in files)
    before, after = (record.read(path) for path, _ in files)
    return changes.changes(before, after, changes.download(old, new))


def synchronise(options: argparse.Namespace, _: Sequence[str]) -> int:
    groups = comps.read(options.file)
    new = comps.synchronised(groups, _listed(options))
    lines = list(comps.differences(groups, new))
    for line in lines:
        print(line)
    if options.take:
        comps.write(options.file, new)
    print(
        f"{len(lines)} differences" + (f", taken into {options.file}." if options.take else "; take them with --take.")
    )
    return 0


def _listed(options: argparse.Namespace) -> str:
    """The Packages lists of Debian's archive."""
    mirror = options.mirror or default_mirror()
    state = State(options.state.absolute()) if options.state else State.default()
    archive = Repository(name="debian", uri=mirror, suite=options.suite)
    source = Source(repository=archive, release=fetch_release(mirror, options.suite, options.keyring))
    return packages_text(source, options.architecture, Store(state.files))


def _tree(path: Path, variant: str, architecture: str) -> Tree:
    return treefile.resolve(treefile.load(path), variant, architecture)
