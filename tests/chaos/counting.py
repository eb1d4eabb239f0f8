"""The work itself: numbered lines on standard output, and a file, both of which name the attempt they are from.

usage: python -m tests.chaos.counting FOLDER ATTEMPT CLAIM LINES SECONDS BYTES
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import time
from pathlib import Path


def line(number: int, of: int, attempt: int, claim: str) -> str:
    return f"line {number} of {of}, attempt {attempt}, claim {claim}"


def content(claim: str, size: int) -> bytes:
    """What an attempt makes: its claim, and bytes that no other attempt has."""
    return claim.encode() + b"\n" + random.Random(claim).randbytes(size)


def main(folder: Path, attempt: int, claim: str, lines: int, seconds: float, size: int) -> None:
    for number in range(1, lines + 1):
        print(line(number, lines, attempt, claim), flush=True)
        time.sleep(seconds / lines)
    made = content(claim, size)
    (folder / "made").write_bytes(made)
    told = {"attempt": attempt, "claim": claim, "lines": lines, "sha256": hashlib.sha256(made).hexdigest()}
    (folder / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), float(sys.argv[5]), int(sys.argv[6]))
