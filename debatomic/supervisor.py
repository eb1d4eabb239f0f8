"""Keeps a few programs running: starts them, starts again what dies, ends them all together."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

FIRST_DELAY = 0.5  # seconds before a program that died is started again; doubles up to LONGEST_DELAY
LONGEST_DELAY = 30.0
STEADY_AFTER = 60.0  # a program that ran this long starts again without back-off

Say = Callable[[str], object]


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run. It gets `end_signal` when the supervisor itself dies, however that happens."""

    name: str
    args: tuple[str, ...]
    pass_fds: tuple[int, ...] = ()
    end_signal: str = "TERM"


class Kept:
    """One program that is kept running, in a process group of its own."""

    def __init__(self, program: Program, say: Say) -> None:
        self.program = program
        self.say = say
        self.popen: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.start_at = 0.0
        self.delay = FIRST_DELAY

    def tend(self) -> float:
        """Start it when it is due, notice its end; returns the seconds until it must be asked again."""
        if self.popen and self._has_ended():
            self._bury()
        if self.popen:
            return LONGEST_DELAY
        wait = self.start_at - time.monotonic()
        if wait > 0:
            return wait
        self._start()
        return LONGEST_DELAY

    def _start(self) -> None:
        self.started_at = time.monotonic()
        self.popen = subprocess.Popen(
            ["setpriv", "--pdeathsig", self.program.end_signal, "--", *self.program.args],
            stdin=subprocess.DEVNULL, start_new_session=True, pass_fds=self.program.pass_fds,
        )  # fmt: skip

    def _has_ended(self) -> bool:
        """Look without reaping: while the leader is there, its group's number cannot become another's."""
        assert self.popen is not None
        return bool(os.waitid(os.P_PID, self.popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT))

    def _bury(self) -> None:
        status = self._kill_group()
        ran = time.monotonic() - self.started_at
        self.delay = FIRST_DELAY if ran >= STEADY_AFTER else self.delay
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        self.say(f"{self.program.name} {how} after {ran:.0f} s; it starts again in {self.delay:g} s.")
        self.start_at = time.monotonic() + self.delay
        self.delay = min(self.delay * 2, LONGEST_DELAY)

    def _kill_group(self) -> int:
        """Kill what its group still holds, reap it, and return its status."""
        assert self.popen is not None
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        status = self.popen.wait()
        self.popen = None
        return status

    def ask_to_end(self) -> None:
        if self.popen:
            os.kill(self.popen.pid, signal.SIGTERM)  # popen.terminate would reap one that has just ended

    def end(self, deadline: float) -> None:
        """Wait for its end until `deadline` (monotonic), then kill it and what it left."""
        while self.popen and not self._has_ended() and time.monotonic() < deadline:
            time.sleep(0.05)
        if not self.popen:
            return
        if not self._has_ended():
            self.say(f"{self.program.name} does not end by itself and is killed.")
        self._kill_group()


class Signals:
    """SIGTERM, SIGINT and SIGHUP as a wish to end; these and a child's end wake who waits."""

    def __init__(self) -> None:
        self.end_asked = False
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def _end(self, *_: Any) -> None:
        self.end_asked = True

    def wait(self, seconds: float) -> None:
        if select.select([self._read], [], [], max(0.0, seconds))[0]:
            os.read(self._read, 4096)

    @classmethod
    @contextmanager
    def caught(cls) -> Iterator[Signals]:
        signals = cls()
        asked = dict.fromkeys((signal.SIGTERM, signal.SIGINT, signal.SIGHUP), signals._end)
        handlers: dict[signal.Signals, Any] = {**asked, signal.SIGCHLD: lambda *_: None}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        wakeup = signal.set_wakeup_fd(signals._write, warn_on_full_buffer=False)
        try:
            yield signals
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(signals._read)
            os.close(signals._write)


def supervise(programs: Sequence[Program], *, say: Say, grace_seconds: float = 20.0) -> None:
    """Keep the programs running until this process is asked to end; then end them, the last one first."""
    kept = [Kept(program, say) for program in programs]
    with Signals.caught() as signals:
        try:
            while not signals.end_asked:
                signals.wait(min(one.tend() for one in kept))
        finally:
            for one in reversed(kept):
                one.ask_to_end()
            deadline = time.monotonic() + grace_seconds
            for one in reversed(kept):
                one.end(deadline)
