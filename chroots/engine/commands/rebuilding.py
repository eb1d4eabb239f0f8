"""The options of binary rebuilds: `--binnmu` and what belongs to it."""

from __future__ import annotations

import argparse
import time

from chroots.engine.binnmu import BinNmu
from chroots.engine.spec import BuildType
from debatomic.tools.errors import InputError

NOBODY = "DebAtomic <nobody@localhost>"


def binnmu_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--binnmu", type=int, metavar="N",
                         help="a binary rebuild (binNMU): this architecture's packages, version X+bN")  # fmt: skip
    command.add_argument("--binnmu-reason", default="", metavar="TEXT", help="what its changelog says, item by line")
    command.add_argument("--binnmu-by", default=NOBODY, metavar="PERSON", help=f"NAME <MAIL> (default: {NOBODY})")
    command.add_argument("--binnmu-date", type=int, metavar="SECONDS",
                         help="its date, since 1970 (default: now); the same one makes the same packages")  # fmt: skip


def binnmu_of(options: argparse.Namespace) -> BinNmu | None:
    """The rebuild that is asked for. Raises InputError for half of one."""
    if options.binnmu is None:
        if options.binnmu_reason or options.binnmu_date is not None:
            raise InputError("A binary rebuild needs its number.", hint="Say --binnmu 1.")
        return None
    date = int(time.time()) if options.binnmu_date is None else options.binnmu_date
    return BinNmu(number=options.binnmu, reason=options.binnmu_reason, by=options.binnmu_by, date=date)


def rebuilt_type(wanted: BuildType, binnmu: BinNmu | None) -> BuildType:
    """What is made: of a binary rebuild never the packages for every architecture, which others have already."""
    if binnmu is None:
        return wanted
    if wanted in (BuildType.ALL, BuildType.SOURCE):
        raise InputError("A binary rebuild makes packages of one architecture only.", hint="Say --build any.")
    return BuildType.ANY
