"""The source package that a check looks at: as it is given, or the .dsc beside the packages."""

from __future__ import annotations

from chroots.engine.archives.dsc import Dsc
from chroots.engine.archives.source import take_source
from chroots.engine.checking.check import Bench
from chroots.engine.spec import BuildSpec
from debatomic.tools.errors import InputError


def named(bench: Bench) -> str:
    """Its name in the archive, or the path of its .dsc. Raises: InputError where there is none."""
    if bench.spec.source:
        return bench.spec.source
    found = bench.files(".dsc")
    if len(found) != 1:
        raise InputError(f"There is not exactly one .dsc in {bench.spec.folder}.", hint="Say --source.")
    return str(found[0])


def taken(bench: Bench) -> Dsc:
    """The source package, every file verified, in a folder of its own."""
    spec = bench.spec
    wanted = BuildSpec(source=named(bench), version=spec.version, chroot=spec.chroot, output=spec.output,
                       expect=spec.expect)  # fmt: skip
    return take_source(wanted, bench.state, bench.work / "source", lambda _: None)
