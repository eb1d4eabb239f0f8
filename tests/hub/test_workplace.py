"""The notes by which a dead attempt is known, and the sign by which a living cluster is."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil

from hosts.builder import cluster, workplace


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


def test_a_leap_of_the_clock_makes_no_cluster_silent(tmp_path: Path, monkeypatch: Any) -> None:
    cluster.show_life(tmp_path)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    assert 0 <= cluster.silent_seconds(tmp_path) < 60
    os.utime(tmp_path / "polled", (time.monotonic() - 90, time.monotonic() - 90))
    assert 90 <= cluster.silent_seconds(tmp_path) < 150
