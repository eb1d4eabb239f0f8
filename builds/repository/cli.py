"""The command line: make a change of a repository; say what a repository is at."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zstandard

from builds.repository.writer import Change, Repository
from chroots.engine.archives.signing import Signer
from chroots.engine.state import locked
from debatomic.tools.errors import InputError, ToolError
from debatomic.tools.files import write_json


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m builds.repository", description="Signed APT repositories.")
    verbs = top.add_subparsers(dest="verb", required=True)
    change = verbs.add_parser("change", help="make a snapshot and switch to it")
    change.add_argument("folder", type=Path)
    change.add_argument("--change", type=Path, required=True, metavar="FILE", help="JSON, plain or as .zst")
    change.add_argument("--places", type=Path, metavar="FILE", help="JSON: where content lies, by SHA-256")
    change.add_argument("--signing-home", type=Path, required=True, metavar="DIR", help="gpg's")
    change.add_argument("--output", type=Path, metavar="DIR", help="gets result.json")
    prune = verbs.add_parser("prune", help="remove snapshots, and packages that none has")
    prune.add_argument("folder", type=Path)
    prune.add_argument("snapshot", nargs="+")
    prune.add_argument("--pool", type=Path, metavar="FILE", help='JSON: {"paths": what only these had}')
    prune.add_argument("--output", type=Path, metavar="DIR", help="gets result.json")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """0; 1 where it failed, 2 where it was asked wrongly, with a sentence."""
    asked = parser().parse_args(arguments)
    told: dict[str, object] = {"ok": True}
    try:
        with locked(asked.folder.parent / f".{asked.folder.name}.lock"):
            told |= _changed(asked) if asked.verb == "change" else _pruned(asked)
    except ToolError as error:
        told = {"ok": False, "reason": error.sentence, "kind": error.kind, "decisive": error.lines}
        print(error.sentence, file=sys.stderr)
    if asked.output:
        asked.output.mkdir(parents=True, exist_ok=True)
        write_json(asked.output / "result.json", told)
    return 0 if told["ok"] else 1


def _changed(asked: argparse.Namespace) -> dict[str, object]:
    wanted = Change.read(_content(asked.change))
    places = _content(asked.places) if asked.places else {}

    def place(sha256: str) -> Path:
        if sha256 not in places:
            raise InputError(f"Nobody says where the content {sha256} lies.")
        return Path(places[sha256])

    print(f"{wanted.name}: {len(wanted.add)} entries in, {len(wanted.remove)} packages out", flush=True)
    told = Repository(asked.folder).change(wanted, Signer(asked.signing_home), place)
    print(f"{wanted.name}: {told['packages']} packages, {told['sources']} source packages, signed", flush=True)
    return told


def _pruned(asked: argparse.Namespace) -> dict[str, object]:
    paths = _content(asked.pool).get("paths", []) if asked.pool else []
    return {"removed": Repository(asked.folder).prune(asked.snapshot, paths)}


def _content(path: Path) -> dict[str, Any]:
    raw = path.read_bytes()
    if path.suffix == ".zst":
        raw = zstandard.ZstdDecompressor().stream_reader(raw).read()
    try:
        found = json.loads(raw)
    except ValueError as error:
        raise InputError(f"{path} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} is no JSON object.")
    return found
