"""The verbs that make treefiles of what other image builders read: blueprint, import-debos."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from composes.pipeline import debos
from composes.pipeline.customized import blueprint
from debatomic.tools.errors import InputError


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verbs with their options."""
    made = verbs.add_parser("blueprint", help="make a blueprint (config.toml, config.json) a part of a treefile")
    made.add_argument("file", type=Path)
    _output(made)
    imported = verbs.add_parser(
        "import-debos", help="make a treefile of a debos recipe, and name what has no counterpart"
    )
    imported.add_argument("file", type=Path)
    imported.add_argument("-t", "--template-var", action="append", default=[], metavar="NAME:VALUE",
                          help="of the recipe's template; may be given again")  # fmt: skip
    _output(imported)


def _output(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--output", type=Path, metavar="FILE", help="(default: standard output)")


def convert_blueprint(options: argparse.Namespace, _: Sequence[str]) -> int:
    part, left = blueprint.read(options.file)
    return _told(options, blueprint.dump(part), left)


def import_debos(options: argparse.Namespace, _: Sequence[str]) -> int:
    values = dict(_pair(each) for each in options.template_var)
    found = debos.read(options.file, values)
    return _told(options, blueprint.dump(found.treefile), found.left)


def _pair(said: str) -> tuple[str, str]:
    name, colon, value = said.partition(":")
    if not colon:
        raise InputError(f"{said} is not NAME:VALUE.")
    return name, value


def _told(options: argparse.Namespace, text: str, left: Sequence[str]) -> int:
    """What was made goes to the file or standard output, what was left out to standard error."""
    if options.output:
        options.output.write_text(text)
    else:
        sys.stdout.write(text)
    for line in left:
        print(line, file=sys.stderr)
    return 0
