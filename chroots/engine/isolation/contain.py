"""Runs ourselves in PID and mount namespaces of our own: whatever kills us, no process and no mount stays."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from chroots.engine.isolation.forked import contained_instead
from chroots.engine.isolation.mounts import NOSUID, mounted
from chroots.engine.isolation.screen import Screen
from debatomic.tools.errors import Canceled
from debatomic.tools.progress import Progress
from debatomic.tools.run import PROGRESS_FD_VARIABLE, Child, Watch, contained, plain_environment, spawn

STREAMS = (0, 1, 2)
STREAMS_VARIABLE = "DEBATOMIC_STREAMS"
GRACE = 2.0  # seconds for a canceled build to end by itself


def is_contained() -> bool:
    """Whether our caller has put us into namespaces of our own: `contained` makes its program the first process."""
    return os.getpid() == 1


def contained_call(
    action: Callable[[], int], clean: Callable[[], object], *, again: Sequence[str], streams: bool = False
) -> int:
    """Call `action` in a contained process, showing its output; the status it returns.

    Without root on the host that process is Python with the arguments `again`: only unshare's helpers may give it ids.
    With `streams` it gets our own standard streams (see `adopt_streams`), a person's terminal among them. When we
    are canceled it may end by itself for a moment; then it is killed. `clean` is called after that.
    """
    fd = os.environ.get(PROGRESS_FD_VARIABLE, "")
    env = {name: value for name, value in os.environ.items() if name.startswith(("DEBATOMIC_", "PYTHON"))}
    passed = [int(fd)] if fd.isdigit() else []
    if streams:
        ours = [os.dup(number) for number in STREAMS]
        passed += ours
        env |= {STREAMS_VARIABLE: ",".join(map(str, ours)), "TERM": os.environ.get("TERM", "dumb")}
    with ExitStack() as undo:
        reports = _reports(undo, env, passed)
        undo.enter_context(_terminal_kept())
        sys.stdout.flush()
        child, watch = undo.enter_context(_started(action, again, env, passed))
        if reports is not None:
            watch.follow(reports, _shown())
        try:
            while not watch.step(3600):
                pass
        except Canceled:
            _end(child, lambda: watch.step(0.1))
            clean()
            raise
    status = child.popen.returncode
    if status != 0:
        clean()
    return status if status >= 0 else 128 - status


def _started(
    action: Callable[[], int], again: Sequence[str], env: dict[str, str], passed: Sequence[int]
) -> AbstractContextManager[tuple[Child, Watch]]:
    if os.geteuid() == 0:
        instead = contained_instead(action, plain_environment(env), passed)
        return spawn([sys.executable], log=_shower(), pass_fds=passed, before=instead)
    env = env | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return spawn(contained([sys.executable, *again]), log=_shower(), env=env, pass_fds=passed)


def _reports(undo: ExitStack, env: dict[str, str], passed: list[int]) -> int | None:
    """A pipe with the progress, if it is for us to show and not for who started us."""
    if passed and str(passed[0]) == env.get(PROGRESS_FD_VARIABLE):
        return None
    reading, writing = os.pipe()
    undo.callback(os.close, reading)
    undo.callback(os.close, writing)
    env[PROGRESS_FD_VARIABLE] = str(writing)
    passed.append(writing)
    return reading


def adopt_streams() -> None:
    """In the contained process: take the standard streams of the one that started it, if it handed them over."""
    numbers = os.environ.pop(STREAMS_VARIABLE, "")
    for number, fd in zip(STREAMS, map(int, filter(None, numbers.split(","))), strict=False):
        os.dup2(fd, number)
        os.close(fd)


@contextmanager
def temporary_files(folder: Path) -> Iterator[None]:
    """In the contained process: what it and its programs put aside is in memory, and gone with its mounts."""
    at = folder / "tmp"
    at.mkdir(parents=True, exist_ok=True)
    with mounted("tmpfs", at, "mode=700", NOSUID):
        before = tempfile.tempdir
        tempfile.tempdir = os.environ["TMPDIR"] = os.fspath(at)
        try:
            yield
        finally:
            tempfile.tempdir = before


@contextmanager
def _terminal_kept() -> Iterator[None]:
    """Whatever becomes of the contained process, a person's terminal is left as it was."""
    before = termios.tcgetattr(0) if os.isatty(0) else None
    try:
        yield
    finally:
        if before:
            termios.tcsetattr(0, termios.TCSADRAIN, before)


def _shown() -> Callable[[dict[str, Any]], object]:
    progress = Progress(0)

    def show(report: dict[str, Any]) -> None:
        progress.total = report["total"]
        if report["fraction"] == 0.0:
            progress.phase(report["phase"], number=report["number"], detail=report["detail"])

    return show


def _shower() -> Callable[[bytes], object]:
    """Writes to our output: the very bytes, or what a terminal may get of them."""
    screen = Screen() if sys.stdout.isatty() else bytes

    def show(chunk: bytes) -> None:
        sys.stdout.buffer.write(screen(chunk))
        sys.stdout.buffer.flush()

    return show


def _end(child: Child, step: Callable[[], bool]) -> None:
    """Ask the contained process to end; leaving `spawn` kills it if it did not."""
    children = Path(f"/proc/{child.popen.pid}/task/{child.popen.pid}/children")
    with suppress(OSError):
        for pid in children.read_text().split():
            os.kill(int(pid), signal.SIGTERM)
    until = time.monotonic() + GRACE
    while time.monotonic() < until and not step():
        pass
