"""Addresses of long lists are those that Django makes."""

from __future__ import annotations

import pytest
from django.urls import reverse, set_script_prefix

from debatomic.addresses import address_of

ADDRESSES = [
    ("dashboard", ()),
    ("task", (17,)),
    ("task-row", (1_000_000,)),
    ("artifact-download", (5, "figlet 2.2+dfsg~1_amd64.deb")),
    ("host", ("builder-1.example.org",)),
    ("host", ("{}",)),
    ("revision", ("debian-atomic", 3)),
    ("api:task-log", (4, 1, "log")),
    ("api:artifact-download", (4,)),
]


@pytest.mark.parametrize("name, values", ADDRESSES)
def test_an_address_is_that_of_reverse(name: str, values: tuple[int | str, ...]) -> None:
    assert address_of(name, *values) == reverse(name, args=values)


def test_the_site_may_lie_beneath_a_prefix() -> None:
    assert address_of("task", 17) == "/tasks/17/"
    set_script_prefix("/debian/")
    try:
        assert address_of("task", 17) == "/debian/tasks/17/"
    finally:
        set_script_prefix("/")
