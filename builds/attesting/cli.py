"""The command line: sign statements; every one becomes a file."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from builds.attesting.envelope import sealed
from chroots.engine.archives.signing import Signer
from debatomic.tools.errors import InputError, ToolError
from debatomic.tools.files import whole, write_json

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*\Z")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m builds.attesting", description="Signed statements (in-toto, DSSE).")
    top.add_argument("statements", type=Path, metavar="FILE", help='JSON: {"NAME": STATEMENT, …}')
    top.add_argument("--signing-home", type=Path, required=True, metavar="DIR", help="gpg's")
    top.add_argument("--output", type=Path, required=True, metavar="DIR", help="gets NAME…, and result.json")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """0; 1 where it failed, 2 where it was asked wrongly, with a sentence."""
    asked = parser().parse_args(arguments)
    asked.output.mkdir(parents=True, exist_ok=True)
    told: dict[str, object]
    try:
        told = {"ok": True, **_signed(asked.statements, Signer(asked.signing_home), asked.output)}
    except ToolError as error:
        told = {"ok": False, "reason": error.sentence, "kind": error.kind, "decisive": error.lines}
        print(error.sentence, file=sys.stderr)
    write_json(asked.output / "result.json", told)
    return 0 if told["ok"] else 1


def _signed(path: Path, signer: Signer, output: Path) -> dict[str, object]:
    try:
        statements = json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path} is no JSON: {error}.") from error
    for name, statement in statements.items():
        if not NAME.match(name):
            raise InputError(f"{name!a:.80} is no name of a file.")
        with whole(output / name) as file:
            file.write(sealed(statement, signer))
        print(f"{name}: signed", flush=True)
    return {"envelopes": list(statements), "keys": signer.ensure()}
