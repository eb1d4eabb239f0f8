"""A repository with a key of its own, and a real apt that reads it over HTTP."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from chroots.engine.archives.signing import Signer
from tests.pipeline.signed import served
from tests.repository.apt import Apt, Hub


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of gpg's with one key: making one takes a second."""
    folder = tmp_path_factory.mktemp("keys") / "keys"
    Signer(folder).ensure("House")
    return folder


@pytest.fixture
def hub(tmp_path: Path, keys: Path) -> Hub:
    shutil.copytree(keys, tmp_path / "keys", ignore=shutil.ignore_patterns("S.*"))
    return Hub(tmp_path)


@pytest.fixture
def apt(hub: Hub, tmp_path: Path) -> Iterator[Apt]:
    hub.repository.folder.mkdir()
    with served(hub.repository.folder) as address:
        yield Apt(tmp_path / "apt", address, hub.signer.public())
