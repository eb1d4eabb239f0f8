"""The verb that gets a definition out of a git repository: fetch-definition."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from composes.pipeline import gitsource
from composes.pipeline.gitsource import GitSource
from debatomic.tools.errors import ToolError
from debatomic.tools.files import write_json


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb with its options."""
    verb = verbs.add_parser("fetch-definition", help="a treefile out of a git repository, validated")
    verb.add_argument("url")
    verb.add_argument("--branch", default="main", help="(default: %(default)s)")
    verb.add_argument("--path", required=True, metavar="FILE", help="its main file in the repository")
    verb.add_argument("--name", default="", help="refuse a treefile of another definition")
    verb.add_argument("--protocol", action="append", default=[], metavar="NAME", help="(default: https)")
    verb.add_argument("--host", action="append", default=[], metavar="HOST",
                      help="may be asked although it is not public: a name, address or network")  # fmt: skip
    verb.add_argument("--output", type=Path, required=True, metavar="DIR", help="gets a result.json with the files")


def fetch(options: argparse.Namespace, _: Sequence[str]) -> int:
    source = GitSource(url=options.url, branch=options.branch, path=options.path)
    options.output.mkdir(parents=True, exist_ok=True)
    result = options.output / "result.json"
    try:
        found = gitsource.fetch(source, name=options.name, protocols=options.protocol or gitsource.PROTOCOLS,
                                hosts=options.host, log=lambda chunk: os.write(1, chunk))  # fmt: skip
    except ToolError as error:
        write_json(result, {"ok": False, "reason": error.sentence, "kind": error.kind.value,
                            "decisive": list(error.lines)})  # fmt: skip
        raise
    write_json(result, {"ok": True, **asdict(found)})
    print(f"{found.main}: {len(found.files)} files at {found.commit[:12]}", file=sys.stdout, flush=True)
    return 0
