"""No test of the API is throttled for what another asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def nobody_throttled() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()
