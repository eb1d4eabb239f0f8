"""A build end to end: the engine, `sbuild --chroot-mode=unshare`, pbuilder, and the floor below them, interleaved.

    sudo python -m benchmarks.builds [--first] [--user NAME] [--rounds 5] [--source figlet]... [--folder DIR]

Repeated builds: each contender has what its builds before left it. With `--first`, what a second build would find is
removed before each. The contenders: benchmarks/contenders.py. NAME, who runs sbuild, is a user with lines in
/etc/subuid and /etc/subgid. Results with method: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks.contenders import CONTENDERS, PACKAGES, Bench, Taken, forget, made

Found = Mapping[str, Sequence[Taken]]  # what each contender took, one a round
HEAD = """
| {what} | | median s | least s | processor s | over the floor, s | ratio to sbuild | of processor s |
|---|---|---|---|---|---|---|---|"""


def measured(bench: Bench, rounds: int, *, first: bool = False) -> Found:
    """What each contender took; of repeated builds, one round before only warms up."""
    found: dict[str, list[Taken]] = {name: [] for name in CONTENDERS}
    for number in range(1 if first else 0, rounds + 1):
        for name, contend in CONTENDERS.items():
            if first:
                forget(bench)
            taken = contend(bench)
            print(f"{bench.name}, {f'round {number}' if number else 'warm-up'}: {name} {taken.wall:.1f} s, "
                  f"of processors {taken.processor:.1f} s", flush=True)  # fmt: skip
            if number:
                found[name].append(taken)
    return found


def rows(package: str, found: Found) -> list[str]:
    walls = {name: median(each.wall for each in taken) for name, taken in found.items()}
    used = {name: median(each.processor for each in taken) for name, taken in found.items()}
    lines = []
    for name, wall in walls.items():
        cells = [f"{wall:.1f}", f"{min(each.wall for each in found[name]):.1f}", f"{used[name]:.1f}",
                 f"{wall - walls['floor']:.1f}", f"{wall / walls['sbuild']:.2f}",
                 f"{used[name] / used['sbuild']:.2f}"]  # fmt: skip
        lines.append(f"| {package} | {name} | {' | '.join(cells)} |")
    return lines


def compare(packages: Sequence[str], folder: Path, user: str, rounds: int, *, first: bool) -> None:
    """Print the table of all packages; each package's rounds as they end."""
    lines = [HEAD.format(what="first build of" if first else "package")]
    for name in packages:
        lines += rows(name, measured(made(name, folder, user), rounds, first=first))
    print("\n".join(lines), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Builds: the engine, sbuild, pbuilder and the floor, interleaved.")
    parser.add_argument("--first", action="store_true", help="without what a build before would have left")
    parser.add_argument("--user", default=os.environ.get("SUDO_USER", ""), help="who runs sbuild (default: who sudos)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--source", action="append", help=f"a source package (default: {', '.join(PACKAGES)})")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp/debatomic-benchmark"), help="kept between runs")
    options = parser.parse_args()
    if os.geteuid() != 0 or not options.user:
        parser.error("run it as root, and name an ordinary user with --user: sbuild's unshare mode wants one.")
    options.folder.mkdir(parents=True, exist_ok=True)
    compare(options.source or PACKAGES, options.folder.absolute(), options.user, options.rounds, first=options.first)


if __name__ == "__main__":
    main()
