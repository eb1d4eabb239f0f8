"""One instance per state folder, and what is told when it cannot start."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from debatomic.instance import PidFile, answers, listen, start_in_background
from debatomic.tools.errors import InputError, ToolError

HOLD = """
import signal, sys
from pathlib import Path
from debatomic.instance import PidFile
with PidFile(Path(sys.argv[1])).held():
    signal.sigwait([signal.SIGUSR1])
"""


def test_a_second_start_is_refused_with_the_first_ones_number(tmp_path: Path) -> None:
    file = PidFile(tmp_path / "run.pid")
    with file.held(), pytest.raises(InputError, match=r"runs already \(process \d+\)") as refused, file.held():
        pass
    assert "make stop" in refused.value.sentence
    assert file.pid() is None


def test_what_a_dead_process_left_stops_nobody(tmp_path: Path) -> None:
    file = PidFile(tmp_path / "run.pid")
    file.path.write_text("1\n")
    assert file.pid() is None
    assert file.stop() is False
    with file.held():
        assert file.path.read_text() != "1\n"


def test_stop_waits_for_the_end(tmp_path: Path, until: Callable[[Callable[[], object]], None]) -> None:
    file = PidFile(tmp_path / "run.pid")
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(file.path)])
    until(lambda: file.pid() == child.pid)
    assert file.stop() is True
    assert child.wait(30) == -signal.SIGTERM


def test_a_port_in_use_is_told_with_another_to_choose() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"Port {port} on 127.0.0.1 is in use.*DEBATOMIC_PORT="):
            listen("127.0.0.1", port)
        assert not answers("127.0.0.1", port, timeout=0.1)


@pytest.mark.parametrize("address", ["192.0.2.1", "no.such.host.invalid"])
def test_a_foreign_address_is_told(address: str) -> None:
    with pytest.raises(InputError, match=f"DEBATOMIC_BIND='{address}' is no address of this machine"):
        listen(address, 8000)


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo 'CommandError: The disk is full.'; exit 1"]
    with pytest.raises(ToolError) as failed:
        start_in_background(command, PidFile(tmp_path / "run.pid"), tmp_path / "run.log", ready=lambda: True)
    assert failed.value.sentence.startswith("DebAtomic did not start: The disk is full.")
    assert str(tmp_path / "run.log") in failed.value.hint
