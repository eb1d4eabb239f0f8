"""A program with our own standard streams: as they are, or through a terminal of the buildroot's own."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from debatomic.tools.run import plain_environment

UNLOCK_TERMINAL, OPEN_PEER = 0x40045431, 0x5441  # TIOCSPTLCK and TIOCGPTPEER of ioctl_tty(2)
OUT_OF_TIME = 124  # as timeout(1) says it


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """What the program needs of us besides its command line."""

    devices: Path | None  # the buildroot's /dev: its terminal is made there
    user: int
    pass_fds: Sequence[int]
    before: Callable[[], object]
    remaining: Callable[[], float | None]  # seconds until it is killed


def is_interactive() -> bool:
    """Whether a person sits at both ends."""
    return os.isatty(0) and os.isatty(1)


def attached(args: Sequence[str], attachment: Attachment) -> int:
    """Run a program with our standard input, output and errors; its exit status.

    A person's terminal is never handed in: what runs inside could type into it. It gets one of its own, and we
    carry what is typed and shown.
    """
    if is_interactive():
        return _through_terminal(args, attachment)
    with _started(args, attachment, None) as child:
        try:
            return _status(child.wait(attachment.remaining()))
        except subprocess.TimeoutExpired:
            return OUT_OF_TIME


def with_terminal(args: Sequence[str]) -> list[str]:
    """`args` such that the terminal it gets is its controlling one; to be put where the program begins."""
    return ["setsid", "--ctty", "--wait", *args] if is_interactive() else list(args)


@contextmanager
def _started(args: Sequence[str], attachment: Attachment, stream: int | None) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(
        list(args), stdin=stream, stdout=stream, stderr=stream, env=plain_environment(), start_new_session=True,
        pass_fds=attachment.pass_fds, preexec_fn=attachment.before,  # noqa: PLW1509 - only system calls in it
    )  # fmt: skip
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def _status(returncode: int) -> int:
    return returncode if returncode >= 0 else 128 - returncode


def _through_terminal(args: Sequence[str], attachment: Attachment) -> int:
    with ExitStack() as undo:
        master, slave = _terminal(attachment.devices)
        undo.callback(os.close, master)
        os.fchown(slave, attachment.user, attachment.user)
        _resize(master)
        child = undo.enter_context(_started(args, attachment, slave))
        os.close(slave)
        undo.enter_context(_raw())
        return _status(child.wait()) if _carry(master, child, attachment) else OUT_OF_TIME


def _terminal(devices: Path | None) -> tuple[int, int]:
    """Both ends of a terminal: one of the buildroot's, so that it has a name there."""
    if devices is None:
        return os.openpty()
    master = os.open(devices / "pts/ptmx", os.O_RDWR | os.O_NOCTTY)
    fcntl.ioctl(master, UNLOCK_TERMINAL, struct.pack("i", 0))
    return master, fcntl.ioctl(master, OPEN_PEER, os.O_RDWR | os.O_NOCTTY)


def _resize(master: int) -> None:
    size = fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8))
    if size != fcntl.ioctl(master, termios.TIOCGWINSZ, bytes(8)):
        fcntl.ioctl(master, termios.TIOCSWINSZ, size)


@contextmanager
def _raw() -> Iterator[None]:
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def _carry(master: int, child: subprocess.Popen[bytes], attachment: Attachment) -> bool:
    """Carry bytes both ways until the program's end; False if its time ran out."""
    until = None if (seconds := attachment.remaining()) is None else time.monotonic() + seconds
    sources = {0: master, master: 1}
    while until is None or time.monotonic() < until:
        ready = select.select(list(sources), [], [], 0.5)[0]
        _resize(master)
        for fd in ready:
            if not _carried(fd, sources[fd]):
                if fd == master:
                    return True
                del sources[fd]
        if not ready and child.poll() is not None:
            return True
    return False


def _carried(source: int, target: int) -> bool:
    """Carry what is there; False at the end of it."""
    try:
        chunk = os.read(source, 1 << 16)
    except OSError:  # a terminal whose other end is closed
        return False
    view = memoryview(chunk)
    while view:
        view = view[os.write(target, view) :]
    return bool(chunk)
