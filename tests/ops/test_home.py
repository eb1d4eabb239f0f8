"""The state folder is its owner's: no other user of the machine reads a key, a session or a log in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from debatomic import environment
from tests.hub.site import ROOT

WRITE = """
import json, os, sys
os.umask(0o002)
import django
django.setup()
from django.conf import settings
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("create table x (y)")
    there = [settings.HOME, *settings.HOME.iterdir()]
    print(json.dumps({path.name: f"{path.stat().st_mode & 0o7777:o}" for path in there}))
"""


def modes(home: Path, **changes: str) -> dict[str, str]:
    """Write into the database of this state folder; the modes it and its files have then."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("DEBATOMIC_", "DATABASE_"))}
    variables |= {"DJANGO_SETTINGS_MODULE": "debatomic.settings", "DEBATOMIC_HOME": str(home), **changes}
    told = subprocess.run([sys.executable, "-c", WRITE], cwd=ROOT, env=variables, stdout=subprocess.PIPE, check=True)
    found: dict[str, str] = json.loads(told.stdout)
    return found


PRIVATE = {"hub.db": "600", "hub.db-wal": "600", "hub.db-shm": "600", "secret-key": "600"}


def test_a_state_folder_that_we_make_is_private(tmp_path: Path) -> None:
    assert modes(tmp_path / "parent" / "state") == {"state": "700", **PRIVATE}
    assert (tmp_path / "parent").stat().st_mode & 0o077


def test_a_state_folder_that_is_there_stays_as_its_owner_made_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o2775)
    assert modes(state) == {"state": "2775", **PRIVATE}


def test_it_is_private_without_a_secret_in_it_too(tmp_path: Path) -> None:
    found = modes(tmp_path / "state", DEBATOMIC_SECRET_KEY="0123456789" * 5)
    assert (found["state"], "secret-key" in found) == ("700", False)


def test_a_database_elsewhere_is_private_too(tmp_path: Path) -> None:
    found = modes(tmp_path / "state", DATABASE_URL=f"sqlite:///{tmp_path}/elsewhere.db")
    assert "hub.db" not in found
    assert (tmp_path / "elsewhere.db").stat().st_mode & 0o777 == 0o600


def test_a_database_that_is_there_keeps_its_content(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    path.write_bytes(b"content")
    path.chmod(0o640)
    environment.keep_private({"NAME": str(path)})
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"content", 0o640)
    environment.keep_private({"NAME": str(tmp_path / "nowhere" / "hub.db")})
    environment.keep_private({"NAME": ":memory:"})
    assert sorted(one.name for one in tmp_path.iterdir()) == ["home", "hub.db"]


@pytest.mark.integration
def test_what_root_makes_belongs_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12345)
    environment.private_file(tmp_path / "file")
    assert (tmp_path / "file").stat().st_uid == 12345
