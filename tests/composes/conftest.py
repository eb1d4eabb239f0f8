"""The shipped definition, imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from composes.defining.definitions import import_folder
from composes.models import Definition
from debatomic.access.models import User
from hosts.models import Channel, Host
from tests.composes.released import Factory

SHIPPED = Path(__file__).resolve().parents[2] / "composes" / "definitions"


@pytest.fixture
def definition(default_channel: Channel) -> Definition:
    import_folder(SHIPPED)
    return Definition.objects.get(name="debian-atomic")


@pytest.fixture
def factory(definition: Definition, users: dict[str, User], host: Host, tmp_path: Path) -> Factory:
    return Factory(definition, users["release-manager"], host, tmp_path)
