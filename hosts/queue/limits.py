"""Limits of a task: their names and units, checked where they are submitted."""

from __future__ import annotations

from typing import Any, Final

from debatomic.tools.errors import InputError

NAMES: Final = {
    "time_limit": "seconds",  # by the wall's clock
    "idle_limit": "seconds",  # without a line of log
    "memory": "bytes",
    "disk": "bytes",
    "processors": "processors",  # so much computing time in a second; 0.5 is half of one
}


def checked(given: Any) -> dict[str, float]:
    """These limits, if each is a known one and more than 0. Raises InputError."""
    if not isinstance(given, dict):
        raise InputError("It is an object with limits by name.", field="limits")
    for name, value in given.items():
        if name not in NAMES:
            raise InputError(f"There is no limit “{name}”; there is {', '.join(NAMES)}.", field="limits")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise InputError(f"{name} must be a number of {NAMES[name]} above 0.", field="limits")
    return given
