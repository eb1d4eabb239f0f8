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
from collections.abc import Iterator
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


@contextmanager
def server() -> Iterator[str]:
    """A running server; gives its DATABASE_URL."""
    tools = programs()
    with owned_folder() as folder:
        data, control = folder / "data", str(tools / "pg_ctl")
        call([str(tools / "initdb"), "-D", str(data), "-U", "debatomic", "-A", "trust", "-E", "UTF8",
              "--locale=C.UTF-8", "--no-sync"], folder)  # fmt: skip
        options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
        call([control, "-D", str(data), "-w", "-t", "60", "-l", str(folder / "log"), "start",
              "-o", f"-k {folder} {options}"], folder)  # fmt: skip
        try:
            yield f"postgresql://debatomic@/{folder}/postgres"
        finally:
            call([control, "-D", str(data), "-m", "immediate", "-w", "stop"], folder)


def main(command: list[str]) -> int:
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    with server() as address:
        return subprocess.run(command, env={**os.environ, "DATABASE_URL": address}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
