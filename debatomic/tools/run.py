"""One function runs programs: it streams, limits, cancels and always ends the whole tree of processes."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from debatomic.tools.errors import Canceled, CommandFailed, InputError, Kind, TimedOut

TAIL_BYTES = 64 * 1024
PROGRESS_FD_VARIABLE = "DEBATOMIC_PROGRESS_FD"
PASSED_ON = ("PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR",
             "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")  # fmt: skip

# The Debian package of a program, where it is called otherwise.
PACKAGES = {
    "bwrap": "bubblewrap", "mksquashfs": "squashfs-tools", "mkfs.ext4": "e2fsprogs", "mount": "mount",
    "umount": "mount", "setpriv": "util-linux", "unshare": "util-linux", "prlimit": "util-linux",
    "newuidmap": "uidmap", "ip": "iproute2", "useradd": "passwd",
    "chroot": "coreutils", "sync": "coreutils", "apt-get": "apt", "dpkg-source": "dpkg-dev",
}  # fmt: skip

Output = Callable[[bytes], object]


def plain_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment every program gets: nothing of ours but the path, proxies and certificates."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    kept["PATH"] = f"{kept.get('PATH', '')}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".lstrip(":")
    return {**kept, "LC_ALL": "C.UTF-8", "HOME": "/nonexistent", "PYTHONUNBUFFERED": "1", **(extra or {})}


def contained(args: Sequence[str]) -> list[str]:
    """`args` in PID and mount namespaces of its own, which die with the process that starts it.

    util-linux' `--kill-child` alone does not see our own death, so setpriv sets the signal for `unshare` itself.
    """
    own_user = [] if os.geteuid() == 0 else ["--user", "--map-root-user", "--map-auto"]
    return [
        "setpriv", "--pdeathsig", "KILL", "--",
        "unshare", *own_user, "--fork", "--pid", "--mount", "--mount-proc", "--propagation=private",
        "--kill-child=KILL", "--", *args,
    ]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Completed:
    """A finished program: its status, what it wrote when captured, and how long it took in seconds."""

    args: tuple[str, ...]
    returncode: int
    stdout: str
    seconds: float


class Child:
    """A running program, made by `spawn`."""

    def __init__(self, args: Sequence[str], popen: subprocess.Popen[bytes], log: Output | None) -> None:
        self.args = tuple(args)
        self.popen = popen
        self._log = log
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self.output_at = time.monotonic()

    @property
    def returncode(self) -> int | None:
        return self.popen.returncode

    def tail(self) -> str:
        """The last 64 KiB of its output, as text."""
        return b"".join(self._tail).decode(errors="replace")

    def _received(self, chunk: bytes) -> None:
        self.output_at = time.monotonic()
        self._tail.append(chunk)
        self._tail_size += len(chunk)
        while self._tail_size - len(self._tail[0]) >= TAIL_BYTES:
            self._tail_size -= len(self._tail.popleft())
        if self._log:
            self._log(chunk)

    def kill(self) -> None:
        """End the whole process group; a contained child takes its PID namespace with it."""
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.popen.wait()


class Watch:
    """The event loop of one child: its output, its progress lines, its end, and the clock."""

    def __init__(self, child: Child, progress_fd: int | None, progress: Callable[[dict[str, Any]], object] | None):
        self.child = child
        self.progress = progress
        self._partial = b""
        self.selector = selectors.DefaultSelector()
        assert child.popen.stdout is not None
        self.selector.register(child.popen.stdout.fileno(), selectors.EVENT_READ, self._output)
        self.end_fd = os.pidfd_open(child.popen.pid)
        self.selector.register(self.end_fd, selectors.EVENT_READ, None)
        if progress_fd is not None:
            self.selector.register(progress_fd, selectors.EVENT_READ, self._progress)

    def follow(self, fd: int, progress: Callable[[dict[str, Any]], object]) -> None:
        """Hear the progress of the child on that pipe."""
        self.progress = progress
        self.selector.register(fd, selectors.EVENT_READ, self._progress)

    def close(self) -> None:
        self.selector.close()
        os.close(self.end_fd)

    def _read(self, fd: int) -> bytes:
        chunk = os.read(fd, 65536)
        if not chunk:
            self.selector.unregister(fd)
        return chunk

    def _output(self, fd: int) -> None:
        if chunk := self._read(fd):
            self.child._received(chunk)

    def _progress(self, fd: int) -> None:
        *lines, self._partial = (self._partial + self._read(fd)).split(b"\n")
        for line in lines:
            try:
                report = json.loads(line)
            except ValueError:
                continue
            if self.progress and isinstance(report, dict):
                self.progress(report)

    def step(self, timeout: float) -> bool:
        """Handle what is there, waiting at most `timeout` seconds; True once the program ended."""
        for key, _ in self.selector.select(timeout):
            if key.data:
                key.data(key.fd)
        if self.child.popen.poll() is None:
            return False
        self._drain()
        return True

    def _drain(self) -> None:
        """What the pipe still holds; a daemon that kept the pipe open does not keep us."""
        while ready := [key for key, _ in self.selector.select(0) if key.data]:
            for key in ready:
                key.data(key.fd)


@contextmanager
def spawn(
    args: Sequence[str],
    *,
    log: Output | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    progress: Callable[[dict[str, Any]], object] | None = None,
    pass_fds: Sequence[int] = (),
    before: Callable[[], object] | None = None,
) -> Iterator[tuple[Child, Watch]]:
    """Start a program; leaving the block kills whatever of it still runs. `env` is added to `plain_environment`.

    `before` is called in the new process before the program starts (to enter a control group): only system calls there.
    """
    with ExitStack() as undo:
        environment = plain_environment(env)
        progress_read = progress_write = None
        if progress:
            progress_read, progress_write = os.pipe()
            undo.callback(os.close, progress_read)
            environment[PROGRESS_FD_VARIABLE] = str(progress_write)
        stdin_file = _as_file(stdin) if stdin is not None else subprocess.DEVNULL
        try:
            popen = subprocess.Popen(
                list(args), stdin=stdin_file, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd,
                env=environment, start_new_session=True, preexec_fn=before,  # noqa: PLW1509 - see the docstring
                pass_fds=[*pass_fds, *([progress_write] if progress_write is not None else [])],
            )  # fmt: skip
        except FileNotFoundError as error:
            raise not_installed(args[0]) from error
        finally:
            if progress_write is not None:
                os.close(progress_write)
            if stdin is not None:
                os.close(stdin_file)
        child = Child(args, popen, log)
        assert popen.stdout is not None
        undo.callback(popen.stdout.close)
        undo.callback(child.kill)
        watch = Watch(child, progress_read, progress)
        undo.callback(watch.close)
        yield child, watch


def not_installed(program: str) -> InputError:
    """The sentence for a program this host lacks."""
    hint = f"Install it: apt install {package_of(program)}"
    return InputError(f"The program {program} is not installed on this host.", hint=hint)


def package_of(program: str) -> str:
    """The Debian package that has a program."""
    return PACKAGES.get(program, program)


def _as_file(content: bytes) -> int:
    """A file descriptor that reads `content`: no thread, no dead-lock on full pipes."""
    fd = os.memfd_create("stdin")
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def run(
    args: Sequence[str],
    *,
    log: Output | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    capture: bool = False,
    check: bool = True,
    time_limit: float | None = None,
    idle_limit: float | None = None,
    canceled: Callable[[], bool] | None = None,
    progress: Callable[[dict[str, Any]], object] | None = None,
    tick: Callable[[], object] | None = None,
    tick_seconds: float = 1.0,
    pass_fds: Sequence[int] = (),
    before: Callable[[], object] | None = None,
) -> Completed:
    """Run a program to its end.

    Output (stdout and stderr together) goes to `log` as it comes, and into the result where `capture` is set.
    `time_limit` and `idle_limit` are seconds of wall clock and of silence; `canceled` is asked, and `tick` called,
    every `tick_seconds`.

    Raises: CommandFailed (status not 0, unless check is False), TimedOut, Canceled, InputError (no such program).
    """
    captured: list[bytes] = []

    def received(chunk: bytes) -> None:
        if capture:
            captured.append(chunk)
        if log:
            log(chunk)

    started = time.monotonic()
    next_tick = started + tick_seconds
    with spawn(
        args, log=received, env=env, cwd=cwd, stdin=stdin, progress=progress, pass_fds=pass_fds, before=before
    ) as (child, watch):
        while not watch.step(max(0.0, min(tick_seconds, next_tick - time.monotonic()))):
            moment = time.monotonic()
            if time_limit is not None and moment - started > time_limit:
                raise TimedOut(f"{args[0]} did not end within its limit of {time_limit:g} s and was killed.")
            if idle_limit is not None and moment - child.output_at > idle_limit:
                raise TimedOut(f"{args[0]} wrote nothing for {idle_limit:g} s and was killed.", kind=Kind.SILENCE)
            if moment >= next_tick:
                next_tick = moment + tick_seconds
                if tick:
                    tick()
                if canceled and canceled():
                    raise Canceled(f"{args[0]} was canceled.")
        returncode = child.popen.returncode
        if check and returncode:
            raise CommandFailed(args, returncode, tail=child.tail())
    output = b"".join(captured).decode(errors="replace")
    return Completed(args=tuple(args), returncode=returncode, stdout=output, seconds=time.monotonic() - started)
