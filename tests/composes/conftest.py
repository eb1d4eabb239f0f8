"""The shipped definition, imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from composes.definitions import import_folder
from composes.models import Definition
from hosts.models import Channel

SHIPPED = Path(__file__).resolve().parents[2] / "composes" / "definitions"


@pytest.fixture
def definition(default_channel: Channel) -> Definition:
    import_folder(SHIPPED)
    return Definition.objects.get(name="debian-atomic")
