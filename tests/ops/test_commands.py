"""Wrong values in the environment: one sentence, status not 0, nothing started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings


def run_with(environment: dict[str, str], home: Path) -> subprocess.CompletedProcess[str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("DEBATOMIC_", "DATABASE_"))}
    return subprocess.run(
        [sys.executable, "manage.py", "run"], cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=110,
        check=False, env={**mine, "DEBATOMIC_HOME": str(home / "state"), **environment},
    )  # fmt: skip


@pytest.mark.parametrize("environment, sentence", [
    ({"DEBATOMIC_PORT": "http"}, "DEBATOMIC_PORT='http' is not usable: it must be a number from 1 to 65535."),
    ({"DEBATOMIC_HOME": "state"}, "DEBATOMIC_HOME='state' is not usable: it must be an absolute path."),
    ({"DEBATOMIC_HOME": "/etc/hostname"}, "DEBATOMIC_HOME='/etc/hostname' is not usable: it must be a folder"),
    ({"DEBATOMIC_HOME": "/proc/1/home"}, "DEBATOMIC_HOME must be a folder that this user may write."),
    ({"DATABASE_URL": "mysql://x/y"}, "it must be postgresql://user@host/name or sqlite:////path."),
    ({"DATABASE_URL": "postgresql://x@127.0.0.1:1/y"}, "check DATABASE_URL and its server."),
    ({"DEBATOMIC_BIND": "192.0.2.1"}, "DEBATOMIC_BIND='192.0.2.1' is no address of this machine"),
    ({"DEBATOMIC_HUB": "http://127.0.0.1:1"}, "start it with `manage.py builder`."),
])  # fmt: skip
def test_a_wrong_value_stops_the_start_with_one_sentence(
    environment: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    done = run_with(environment, tmp_path)
    assert done.returncode != 0
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stdout == ""
