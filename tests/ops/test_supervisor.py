"""A supervisor of real processes: what dies comes back, what ends takes everything with it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from debatomic.supervisor import FIRST_DELAY, Kept, Program

SUPERVISE = """
import sys
from debatomic.supervisor import Program, supervise
programs = [Program(name=f"program {number}", args=("sh", "-c", text)) for number, text in enumerate(sys.argv[1:])]
supervise(programs, say=lambda line: print(line, flush=True), grace_seconds=1)
print("over", flush=True)
"""
Until = Callable[[Callable[[], object]], None]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def begin(*scripts: str) -> subprocess.Popen[str]:
        popen = subprocess.Popen(
            [sys.executable, "-c", SUPERVISE, *scripts], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        started.append(popen)
        return popen

    yield begin
    for popen in started:
        popen.terminate()
        popen.communicate(timeout=60)


def pids(folder: Path, name: str) -> list[int]:
    file = folder / name
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def is_alive(pid: int) -> bool:
    """Whether it runs; an orphan that nobody has reaped yet does not."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def test_a_program_that_dies_is_started_again_later_each_time(start: Start, tmp_path: Path, until: Until) -> None:
    supervisor = start(f"echo $$ >> {tmp_path}/one; exit 3", f"echo $$ >> {tmp_path}/two; exec sleep 1000")
    until(lambda: len(pids(tmp_path, "one")) >= 3)
    supervisor.terminate()
    said = supervisor.communicate()[0].splitlines()
    for line, delay in zip(said, (FIRST_DELAY, 2 * FIRST_DELAY), strict=False):
        assert re.fullmatch(rf"program 0 ended with status 3 after \d s; it starts again in {delay:g} s\.", line)
    assert said[-1] == "over"
    assert len(pids(tmp_path, "two")) == 1


def test_a_killed_program_takes_what_it_left_with_it_and_comes_back(start: Start, tmp_path: Path, until: Until) -> None:
    start(f"sh -c 'echo $$ >> {tmp_path}/left; exec sleep 1000' & echo $$ >> {tmp_path}/one; wait")
    until(lambda: pids(tmp_path, "one") and pids(tmp_path, "left"))
    os.kill(pids(tmp_path, "one")[0], signal.SIGKILL)
    until(lambda: len(pids(tmp_path, "one")) == 2)
    assert not is_alive(pids(tmp_path, "left")[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_wish_to_end_ends_all_also_what_does_not_listen(
    start: Start, tmp_path: Path, until: Until, number: signal.Signals
) -> None:
    supervisor = start(f"trap '' TERM; echo $$ >> {tmp_path}/deaf; while :; do sleep 1000; done",
                       f"echo $$ >> {tmp_path}/two; exec sleep 1000")  # fmt: skip
    until(lambda: pids(tmp_path, "deaf") and pids(tmp_path, "two"))
    supervisor.send_signal(number)
    assert supervisor.communicate()[0].splitlines() == ["program 0 does not end by itself and is killed.", "over"]
    assert supervisor.returncode == 0
    assert not any(is_alive(pid) for name in ("deaf", "two") for pid in pids(tmp_path, name))


def test_programs_end_when_their_supervisor_is_killed(start: Start, tmp_path: Path, until: Until) -> None:
    supervisor = start(f"echo $$ >> {tmp_path}/one; exec sleep 1000")
    until(lambda: pids(tmp_path, "one"))
    supervisor.kill()
    until(lambda: not is_alive(pids(tmp_path, "one")[0]))


def test_a_program_that_ends_just_before_it_is_asked_to_is_no_trouble(until: Until) -> None:
    kept = Kept(Program(name="short", args=("true",)), print)
    kept.tend()
    until(kept._has_ended)
    kept.ask_to_end()
    kept.end(time.monotonic())
    assert kept.popen is None
