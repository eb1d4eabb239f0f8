from __future__ import annotations

import time
from collections.abc import Callable

import pytest


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait for something another process does; fails after 20 s."""

    def wait(happened: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while not happened():
            assert time.monotonic() < deadline, "it did not happen within 20 s"
            time.sleep(0.02)

    return wait
