"""The verbs about treefiles: check, show, diff, schema. They only read."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from composes.pipeline import treefile
from composes.pipeline.schema import TREEFILE
from composes.pipeline.shown import as_treefile, differences, text
from composes.pipeline.treefile import Tree
from debatomic.tools.errors import InputError


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verbs' options."""
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
    verbs.add_parser("schema", help="the JSON schema of treefiles")


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


def _tree(path: Path, variant: str, architecture: str) -> Tree:
    return treefile.resolve(treefile.load(path), variant, architecture)
