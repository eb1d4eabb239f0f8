"""The program itself: a short round of everything, and that an interrupted one leaves nothing."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.chaos.world import remains
from tests.hub.site import PYTHON, ROOT

pytestmark = pytest.mark.integration
CHAOS = [PYTHON, "-m", "tests.chaos", "--short", "--seed"]


def test_nothing_is_lost() -> None:
    done = subprocess.run([*CHAOS, "1"], cwd=ROOT, capture_output=True, text=True, timeout=800, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_interrupted_leaves_nothing() -> None:
    with subprocess.Popen([*CHAOS, "2"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        told = ""
        while "starting the hosts" not in told:
            line = process.stdout.readline()
            assert line, told
            told += line
        home = re.search(r"in (/\S+) and", told)
        assert home and len(remains(Path(home[1]))) > 5
        process.send_signal(signal.SIGINT)
        assert process.wait(180) == 130
    assert remains(Path(home[1])) == []
    assert not Path(home[1]).exists()
