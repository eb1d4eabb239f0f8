"""The running instance of a state folder: one at a time, known by its pid file, reachable at its address."""

from __future__ import annotations

import errno
import fcntl
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from debatomic.tools.errors import InputError, ToolError

START_SECONDS = 90.0


class PidFile:
    """A file that names the running process, locked as long as that lives: a stale one stops nobody."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the running one. Raises InputError when another process is."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+") as file:
            if not _lock(file.fileno(), patience=0.5):  # `pid` holds it for an instant
                raise InputError(f"DebAtomic runs already (process {self.pid()}).", hint="`make stop` ends it.")
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield
            file.truncate(0)

    def pid(self) -> int | None:
        """The process that holds the file, if one does."""
        try:
            with self.path.open() as file:
                if _lock(file.fileno(), shared=True):
                    return None
                return int(file.read().strip() or 0) or None
        except FileNotFoundError:
            return None

    def stop(self, seconds: float = 40.0) -> bool:
        """End the running process and wait for it; False if none runs. Raises ToolError when it stays."""
        pid = self.pid()
        if pid is None:
            return False
        with suppress(ProcessLookupError):  # it ended by itself
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while self.pid() == pid:
            if time.monotonic() > deadline:
                raise ToolError(f"Process {pid} did not end within {seconds:g} s.", hint=f"End it with kill {pid}.")
            time.sleep(0.05)
        return True


def start_in_background(command: Sequence[str], pid_file: PidFile, log: Path, *, ready: Callable[[], bool]) -> None:
    """Start the command apart from this terminal and wait until it is ready. Raises ToolError with its last words."""
    with log.open("ab") as file:
        began = file.tell()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    deadline = time.monotonic() + START_SECONDS
    while not (pid_file.pid() and ready()):
        if child.poll() is not None:
            raise ToolError(_last_words(log, began), hint=f"The whole story is in {log}.")
        if time.monotonic() > deadline:
            child.terminate()
            raise ToolError(f"No page came within {START_SECONDS:g} s of the start.", hint=f"See {log}.")
        time.sleep(0.1)


def _last_words(log: Path, began: int) -> str:
    with log.open("rb") as file:
        file.seek(began)
        lines = file.read().decode(errors="replace").split("\n")
    told = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
    return f"DebAtomic did not start: {told.removeprefix('CommandError: ')}"


def _lock(fd: int, *, shared: bool = False, patience: float = 0) -> bool:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)


def listen(address: str, port: int) -> socket.socket:
    """A socket that listens there. Raises InputError in words of settings when it cannot be had."""
    try:
        family, _, _, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(place[:2], family=family, backlog=256)
    except socket.gaierror as error:
        raise InputError(f"DEBATOMIC_BIND={address!r} is no address of this machine ({error.strerror}).") from error
    except OSError as error:
        raise InputError(*_refused(error, address, port)) from error


def _refused(error: OSError, address: str, port: int) -> tuple[str]:
    if error.errno == errno.EADDRINUSE:
        return (f"Port {port} on {address} is in use by another program: end that, or choose another port, "
                f"for example DEBATOMIC_PORT={port + 1 if port < 65535 else port - 1}.",)  # fmt: skip
    if error.errno == errno.EACCES:
        return (f"DEBATOMIC_PORT={port} may not be used by this user: choose one from 1024 to 65535.",)
    return (f"DEBATOMIC_BIND={address!r} is no address of this machine ({os.strerror(error.errno or 0)}).",)


def answers(address: str, port: int, *, timeout: float = 2.0) -> bool:
    """Whether a page comes from there."""
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 (compared, not bound)
    connection = http.client.HTTPConnection(local, port, timeout=timeout)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < http.HTTPStatus.INTERNAL_SERVER_ERROR
    except OSError:
        return False
    finally:
        connection.close()
