"""`python -m builds.packing`: a source package out of a git repository."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from builds.packing.pack import PackSpec, pack
from debatomic.tools.errors import ToolError
from debatomic.tools.files import write_json
from debatomic.tools.git import PROTOCOLS


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m builds.packing", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--ref", default="HEAD", metavar="REF", help="a branch, tag or commit (default: its HEAD)")
    parser.add_argument("--protocol", action="append", default=[], metavar="NAME", help="(default: https)")
    parser.add_argument("--host", action="append", default=[], metavar="HOST",
                        help="may be asked although it is not public: a name, address or network")  # fmt: skip
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="gets the files and result.json")
    options = parser.parse_args(arguments)
    spec = PackSpec(url=options.url, ref=options.ref, output=options.output,
                    protocols=tuple(options.protocol) or PROTOCOLS, hosts=tuple(options.host))  # fmt: skip
    result = options.output / "result.json"
    options.output.mkdir(parents=True, exist_ok=True)
    try:
        packed = pack(spec, say=lambda line: print(line, flush=True))
    except ToolError as error:
        write_json(result, {"ok": False, "reason": error.sentence, "kind": error.kind.value,
                            "decisive": list(error.lines)})  # fmt: skip
        print(f"error: {error.sentence}", file=sys.stderr, flush=True)
        return 1
    write_json(result, {"ok": True, **asdict(packed)})
    return 0
