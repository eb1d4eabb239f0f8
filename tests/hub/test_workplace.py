"""The notes by which a dead attempt is known."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import psutil

from hosts.builder import workplace


def test_a_process_is_known_by_its_birth_whatever_the_clock_does(monkeypatch: Any) -> None:
    note = workplace.note_of_mine("claim", "cluster")
    began = psutil.boot_time()
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: began + 1)  # what the kernel says after a leap
    assert note.is_alive
    assert workplace.born(os.getppid()) not in ("", note.born)


def test_a_dead_process_was_never_born(tmp_path: Any) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        assert workplace.born(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie now
        assert workplace.born(process.pid) == ""
    assert workplace.born(process.pid) == ""
