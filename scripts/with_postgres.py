"""Run a command beside a PostgreSQL server of its own, thrown away at its end; DATABASE_URL names it.

usage: scripts/with_postgres.py COMMAND [ARGUMENT...]
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PLACE = Path("/usr/lib/postgresql")
USER = "postgres"  # Debian's; PostgreSQL refuses to run as root
SETTINGS = {
    "listen_addresses": "''",  # a socket in our own folder only: no port to collide
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "dynamic_shared_memory_type": "mmap",  # in our own folder, too: what lies in /dev/shm others may remove
}


def programs() -> Path:
    """The folder of the newest server's programs."""
    found = sorted(PLACE.glob("*/bin"), key=lambda folder: int(folder.parent.name))
    if not found:
        sys.exit("PostgreSQL is not installed: apt-get install postgresql (make install-test does).")
    return found[-1]


def as_server(args: list[str]) -> list[str]:
    """The command as the unprivileged user that owns the server; as ourselves when we are not root."""
    if os.geteuid() != 0:
        return args
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--", *args]


def call(args: list[str], folder: Path) -> None:
    done = subprocess.run(
        as_server(args), cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{Path(args[0]).name} exited with status {done.returncode}:\n{done.stdout}")


@contextmanager
def owned_folder() -> Iterator[Path]:
    """A folder that the server's user owns, with a path short enough for a socket's name."""
    folder = Path(tempfile.mkdtemp(prefix="debatomic-pg-", dir="/tmp"))
    try:
        if os.geteuid() == 0:
            owner = pwd.getpwnam(USER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """A server in a folder of its own, that can be stopped and started again."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.address = f"postgresql://debatomic@/{folder}/postgres"  # a DATABASE_URL
        self.folder = folder
        self._tools = programs()
        self._options = " ".join(f"-c {name}={value}" for name, value in settings.items())

    def make(self) -> None:
        call([str(self._tools / "initdb"), "-D", str(self.folder / "data"), "-U", "debatomic", "-A", "trust",
              "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"], self.folder)  # fmt: skip

    def start(self) -> None:
        self._control("-t", "60", "-l", str(self.folder / "log"), "-o", f"-k {self.folder} {self._options}", "start")

    def stop(self) -> None:
        """As a machine that loses its power: without a word to anybody, and to be recovered at the next start."""
        self._control("-m", "immediate", "stop")

    def _control(self, *args: str) -> None:
        call([str(self._tools / "pg_ctl"), "-D", str(self.folder / "data"), "-w", *args], self.folder)


@contextmanager
def running(**settings: str) -> Iterator[Server]:
    """A running server, with these settings above the usual ones."""
    with owned_folder() as folder:
        server = Server(folder, {**SETTINGS, **settings})
        server.make()
        server.start()
        try:
            yield server
        finally:
            if (folder / "data" / "postmaster.pid").exists():
                server.stop()


def main(command: list[str]) -> int:
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    with running() as server:
        return subprocess.run(command, env={**os.environ, "DATABASE_URL": server.address}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
