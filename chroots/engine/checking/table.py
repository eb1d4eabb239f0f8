"""Which checks there are, in the order in which pages show them."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from chroots.engine.checking import lintian
from chroots.engine.checking.check import Check
from debatomic.tools.errors import InputError

ALL = (
    Check(name="lintian", title="Lintian", run=lintian.run),
)
CHECKS: Mapping[str, Check] = {check.name: check for check in ALL}


def check(name: str) -> Check:
    """The check of this name. Raises: InputError with the names there are."""
    if name not in CHECKS:
        near = get_close_matches(name, CHECKS, n=1)
        raise InputError(f"There is no check {name!r}{f'; did you mean {near[0]}?' if near else '.'}",
                         hint=f"There are: {', '.join(CHECKS)}.")  # fmt: skip
    return CHECKS[name]
