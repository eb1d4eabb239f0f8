"""A whole installation of its own for a test: its folder, its database, its real processes."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
from django.conf import settings

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = sys.executable
KEPT = tempfile.TemporaryDirectory(prefix="debatomic-site-")  # the tables of the first site, for those after it


class Site:
    """Started by `site_at`; `ask` evaluates an expression in it (see tryout/control.py)."""

    control = "tests.hub.tryout.control"
    within: Sequence[str] = ()  # what the commands of its processes begin with

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.environment = {
            **os.environ, "DJANGO_SETTINGS_MODULE": "tests.hub.tryout.settings", "DEBATOMIC_HOME": str(home),
            "DEBATOMIC_HOST_NAME": "here", "DEBATOMIC_LEASE_SECONDS": "6", "DEBATOMIC_HEARTBEAT_SECONDS": "0.3",
            "DEBATOMIC_POLL_SECONDS": "0.1", "DEBATOMIC_EXAMINE_SECONDS": "0", **environment,
        }  # fmt: skip
        self.processes: list[subprocess.Popen[Any]] = []
        self._control: subprocess.Popen[str] | None = None

    def spawn(self, *args: str | Path, **environment: str) -> subprocess.Popen[bytes]:
        with (self.home / "output").open("ab") as output:
            process = subprocess.Popen(
                [*self.within, PYTHON, *args], cwd=ROOT, env={**self.environment, **environment},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def manage(self, *args: str) -> str:
        return subprocess.run([*self.within, PYTHON, "manage.py", *args], cwd=ROOT, env=self.environment, check=True,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout  # fmt: skip

    def ask(self, expression: str) -> Any:
        if self._control is None:
            self._control = subprocess.Popen(
                [PYTHON, "-m", self.control], cwd=ROOT, env=self.environment, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
        assert self._control.stdin and self._control.stdout
        self._control.stdin.write(expression + "\n")
        self._control.stdin.flush()
        return json.loads(self._control.stdout.readline())

    def state(self, task: int) -> str:
        return str(self.ask(f"task({task})")["state"])

    def until(self, task: int, *states: str, seconds: float = 90) -> dict[str, Any]:
        """The task once it is in one of these states."""
        wait(lambda: self.state(task) in states, seconds, lambda: f"{self.ask(f'task({task})')}\n{self.output()}")
        found: dict[str, Any] = self.ask(f"task({task})")
        return found

    def builder(self, **environment: str) -> subprocess.Popen[bytes]:
        return self.spawn("manage.py", "builder", "--grace", "1", **environment)

    def web(self, port: int = 0) -> str:
        """Start daphne; its address, once it answers."""
        port = port or _free_port()
        self.web_process = self.spawn("-m", "daphne", "-p", str(port), "debatomic.asgi:application")
        wait(lambda: _listens(port), 90, self.output)
        return f"http://127.0.0.1:{port}"

    def output(self) -> str:
        return (self.home / "output").read_text(errors="replace")[-6000:]

    def close(self) -> None:
        for process in [*self.processes, *([self._control] if self._control else [])]:
            beneath = _tree(process.pid)
            process.kill()
            for one in beneath:
                with suppress(psutil.Error):
                    one.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _tree(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def wait(true: Callable[[], Any], seconds: float = 90, otherwise: Callable[[], object] = str) -> Any:
    """What `true` says as soon as it says something; fails after so many seconds, with what `otherwise` says."""
    until = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < until, f"not within {seconds} s: {otherwise()}"
        time.sleep(0.05)
    return value


def called(pid: int, words: str) -> list[psutil.Process]:
    """The live processes beneath this one whose title, or name of program, has these words."""
    found = []
    for process in _tree(pid):
        with suppress(psutil.Error, IndexError):
            if words in process.cmdline()[0] and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def marked(mark: str) -> list[psutil.Process]:
    """All live processes of this machine whose command line has this mark."""
    return [one for one in psutil.process_iter() if mark in command_line(one) and one.pid != os.getpid()]


def command_line(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


@contextmanager
def site_at(home: Path) -> Iterator[Site]:
    home.mkdir(parents=True, exist_ok=True)
    with database() as environment:
        site = Site(home, **environment)
        try:
            make_tables(site)
            yield site
        finally:
            site.close()


def make_tables(site: Site) -> None:
    """Migrate the first site's database; those of the sites after it, in this process, are its copies."""
    name = site.environment["DATABASE_URL"].rpartition("/")[2]
    if name:
        _tables_on_server(site, name)
    else:
        _tables_in_file(site, site.home / "hub.db", Path(KEPT.name) / "hub.db")


def _tables_in_file(site: Site, own: Path, kept: Path) -> None:
    if kept.exists():
        shutil.copy(kept, own)
        return
    site.manage("migrate", "-v0")
    with closing(sqlite3.connect(own)) as connection:
        connection.execute("VACUUM INTO ?", [str(kept)])
    kept.chmod(0o600)


def _tables_on_server(site: Site, own: str) -> None:
    kept = Path(KEPT.name).name
    if not on_server(f"SELECT FROM pg_database WHERE datname = '{kept}'"):
        site.manage("migrate", "-v0")
        on_server(f'CREATE DATABASE "{kept}" TEMPLATE "{own}"')
        atexit.register(on_server, f'DROP DATABASE "{kept}"')
        return
    on_server(f'DROP DATABASE "{own}"')
    on_server(f'CREATE DATABASE "{own}" TEMPLATE "{kept}"')


def on_server(statement: str) -> int:
    """Tell the PostgreSQL that DATABASE_URL names; how many rows it finds."""
    known = settings.DATABASES["default"]
    with psycopg.connect(host=known["HOST"], user=known["USER"], dbname="postgres", autocommit=True) as connection:
        return connection.execute(statement.encode()).rowcount


@contextmanager
def database() -> Iterator[dict[str, str]]:
    """SQLite in the site's folder, or a fresh database on the PostgreSQL that DATABASE_URL names."""
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        yield {"DATABASE_URL": ""}
        return
    name = f"site_{uuid.uuid4().hex[:10]}"
    on_server(f'CREATE DATABASE "{name}"')
    yield {"DATABASE_URL": f"{url.rpartition('/')[0]}/{name}"}
    on_server(f'DROP DATABASE "{name}" WITH (FORCE)')


def kill(*processes: psutil.Process | subprocess.Popen[Any]) -> None:
    for process in processes:
        process.send_signal(signal.SIGKILL)
