"""Addresses for long lists: Django works out each pattern once, not for each row."""

from __future__ import annotations

from functools import cache
from urllib.parse import quote

from django.urls import get_script_prefix, reverse

SAFE = "!$&'()*+,;=/~:@"  # as reverse() has it
FIRST_EXAMPLE = 7_000_000_001  # in the place of a value that any pattern takes


def address_of(name: str, *values: int | str) -> str:
    """The same as `reverse(name, args=values)` for values that fit the pattern."""
    pattern = _pattern(name, len(values), get_script_prefix())
    return pattern.format(*(quote(value, safe=SAFE) if isinstance(value, str) else value for value in values))


@cache
def _pattern(name: str, number: int, _prefix: str) -> str:
    """The address with `{}` for each value, where the whole site lies beneath this prefix."""
    examples = [str(FIRST_EXAMPLE + index) for index in range(number)]
    address = reverse(name, args=examples).replace("{", "{{").replace("}", "}}")
    for example in examples:
        address = address.replace(example, "{}")
    return address
