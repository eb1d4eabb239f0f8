"""What is left of a task on this machine, looked at before and after."""

from __future__ import annotations

import uuid

import pytest


@pytest.fixture
def mark() -> str:
    """A word by which the processes of one test are known."""
    return f"mark-{uuid.uuid4().hex}"
