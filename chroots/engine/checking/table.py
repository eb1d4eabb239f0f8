"""Which checks there are, in the order in which pages show them."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from chroots.engine.checking import (
    abi,
    autopkgtest,
    debdiff,
    dependants,
    hardening,
    installing,
    lintian,
    reproducible,
    symbols,
)
from chroots.engine.checking.check import Check
from debatomic.tools.errors import InputError

BEFORE, LOG, SOURCE, SIBLINGS = (frozenset({name}) for name in ("before", "log", "source", "siblings"))
ALL = (
    Check(name="lintian", title="Lintian", run=lintian.run, help="The suite's lintian: errors fail, warnings warn."),
    Check(name="install", title="Install", run=installing.run, needs=BEFORE | SIBLINGS,
          help="Install, remove, purge and upgrade from the version before: nothing fails, nothing is left."),
    Check(name="autopkgtest", title="Tests", run=autopkgtest.run, needs=SOURCE | SIBLINGS,
          help="The source package's own tests (autopkgtest) with these packages installed: failing ones fail."),
    Check(name="debdiff", title="Changes", run=debdiff.run, needs=BEFORE,
          help="Files and relations beside those of the version before: warns where something went."),
    Check(name="symbols", title="Symbols", run=symbols.run, needs=BEFORE,
          help="Symbols of shared libraries beside those of the version before: lost ones fail."),
    Check(name="abi", title="ABI", run=abi.run, needs=BEFORE,
          help="Interfaces of shared libraries beside those of the version before (abidiff): incompatible ones fail."),
    Check(name="reproducible", title="Reproducible", run=reproducible.run, needs=SOURCE,
          help="A second build in another environment: the packages must be the same, bit for bit."),
    Check(name="hardening", title="Hardening", run=hardening.run, needs=LOG,
          help="Compilers called without hardening flags fail, programs that lack some warn."),
    Check(name="dependants", title="Dependants", run=dependants.run, needs=SIBLINGS,
          help="Packages of the suite that depend on these: those that cannot be installed any more fail."),
)  # fmt: skip
CHECKS: Mapping[str, Check] = {check.name: check for check in ALL}


def check(name: str) -> Check:
    """The check of this name. Raises: InputError with the names there are."""
    if name not in CHECKS:
        near = get_close_matches(name, CHECKS, n=1)
        raise InputError(f"There is no check {name!r}{f'; did you mean {near[0]}?' if near else '.'}",
                         hint=f"There are: {', '.join(CHECKS)}.")  # fmt: skip
    return CHECKS[name]
