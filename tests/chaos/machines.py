"""The machines: a hub of two web processes behind a proxy, and hosts that know its address and their own token."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from scripts.with_postgres import Server
from tests.chaos.network import HUB_ADDRESS, Namespace
from tests.hub.site import PYTHON, ROOT, Site, kill, wait

PROXY_PORT = 8000
WEB_PORTS = (8001, 8002)
FIRST_GATEWAY_PORT = 9001
START_SECONDS = 300.0  # at most, on a machine that has much else to do
SLOTS = 4  # workers of a host
CAPACITY = 3  # so one of them is idle

PROXY = """\
defaults
    mode http
    timeout connect 2s
    timeout client 5m
    timeout server 5m
    option redispatch
frontend hub
    bind {address}:{port}
    maxconn 2000
    default_backend web
backend web
    default-server check inter 500ms fall 1 rise 1
    server one 127.0.0.1:{web[0]}
    server two 127.0.0.1:{web[1]}
"""


def alone(home: Path, **environment: str) -> dict[str, str]:
    """The environment of a machine: nothing that this shell, or another machine, was told."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("DEBATOMIC_")}
    return {**mine, "DJANGO_SETTINGS_MODULE": "tests.chaos.settings", "DEBATOMIC_HOME": str(home), "DATABASE_URL": "",
            "DEBATOMIC_EXAMINE_SECONDS": "0", "DEBATOMIC_LOG_LEVEL": "WARNING", **environment}  # fmt: skip


class Gateway:
    """The way from the hosts to the hub (tests/chaos/gateway.py), to be harmed for a host's port."""

    def __init__(self, within: Namespace, seed: str, ports: list[int]) -> None:
        self._process = subprocess.Popen(
            [*within.within, PYTHON, "-m", "tests.chaos.gateway", HUB_ADDRESS, str(PROXY_PORT), seed,
             *map(str, ports)], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
        assert self._process.stdout and self._process.stdout.readline() == "ready\n"

    def done(self, wish: dict[str, Any] | None = None) -> dict[str, int]:
        """How often each harm was done, once the wish is heard."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(wish) + "\n")
        self._process.stdin.flush()
        told: dict[str, int] = json.loads(self._process.stdout.readline())
        return told

    @contextmanager
    def harm(self, port: int, harm: str, chance: float) -> Iterator[None]:
        self.done({"port": port, "harm": harm, "chance": chance})
        try:
            yield
        finally:
            self.done({"port": port, "harm": "", "chance": 0})


class Hub(Site):
    """The hub: its processes but PostgreSQL, of which it knows the address only."""

    control = "tests.chaos.control"

    def __init__(self, home: Path, namespace: Namespace, database: Server, lease: float) -> None:
        home.mkdir()
        super().__init__(home)
        self.within = namespace.within
        self.database = database
        self.webs: dict[int, subprocess.Popen[bytes]] = {}
        self.environment = alone(
            home, DATABASE_URL=database.address, DEBATOMIC_ALLOWED_HOSTS=f"{HUB_ADDRESS} 127.0.0.1",
            DEBATOMIC_LEASE_SECONDS=f"{lease:g}", DEBATOMIC_GRACE_SECONDS="0.2",
        )  # fmt: skip

    def start(self) -> None:
        self.manage("migrate", "-v0")
        proxy = self.home / "haproxy.cfg"
        proxy.write_text(PROXY.format(address=HUB_ADDRESS, port=PROXY_PORT, web=WEB_PORTS))
        for port in WEB_PORTS:
            self.start_web(port)
        for _ in range(2):
            self.spawn("manage.py", "tick")  # two reapers, always
        with (self.home / "output").open("ab") as output:
            self.processes.append(subprocess.Popen([*self.within, "haproxy", "-db", "-f", proxy], stderr=output,
                                                   stdout=output, stdin=subprocess.DEVNULL))  # fmt: skip

    def start_web(self, port: int) -> None:
        web = self.spawn("-m", "daphne", "-v", "0", "-p", str(port), "debatomic.asgi:application")
        self.webs[port] = web

    def kill_web(self, port: int) -> None:
        kill(self.webs[port])
        self.webs[port].wait()
        self.processes.remove(self.webs.pop(port))

    def invite(self, host: str) -> str:
        """A one-time token for a new host."""
        return str(self.ask(f"invite({host!r}, {CAPACITY})"))


class Host:
    """A machine far away, with its builder."""

    def __init__(self, name: str, home: Path, namespace: Namespace, port: int, lease: float) -> None:
        home.mkdir()
        self.name = name
        self.home = home
        self.port = port
        self._namespace = namespace
        self._builder: subprocess.Popen[bytes] | None = None
        self._environment = alone(
            home, DEBATOMIC_HUB=f"http://{HUB_ADDRESS}:{port}", DEBATOMIC_HOST_NAME=name,
            DEBATOMIC_CAPACITY=str(SLOTS), DEBATOMIC_LEASE_SECONDS=f"{lease:g}", DEBATOMIC_POLL_SECONDS="0.5",
        )  # fmt: skip

    def register(self, token: str) -> None:
        with self._run("manage.py", "builder", "--register", token) as process:
            assert process.wait() == 0, self.output()

    def start(self, **environment: str) -> None:
        self._builder = self._run("manage.py", "builder", "--grace", "1", **environment)

    def _run(self, *args: str, **environment: str) -> subprocess.Popen[bytes]:
        with (self.home / "output").open("ab") as output:
            return subprocess.Popen(
                [*self._namespace.within, PYTHON, *args], cwd=ROOT, stdin=subprocess.DEVNULL,
                env={**self._environment, **environment}, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        """All at once, as if the power had gone: whoever asks for it has cut its cable before."""
        self._namespace.kill()
        if self._builder:
            self._builder.wait()

    def workers(self, doing: str) -> list[psutil.Process]:
        """The django-q workers that are `idle` or `processing`."""
        found = []
        for pid in self._namespace.pids():
            with suppress(psutil.Error, IndexError):
                process = psutil.Process(pid)
                if doing in process.cmdline()[0]:
                    found.append(process)
        return found

    def until_at_work(self) -> None:
        wait(lambda: self.workers("idle") or self.workers("processing"), START_SECONDS, self.output)

    def left(self) -> list[str]:
        """What attempts left on its disk."""
        folders = [self.home / "host" / name for name in ("tasks", "attempts")]
        return [str(path) for folder in folders if folder.is_dir() for path in folder.iterdir()]

    def output(self) -> str:
        path = self.home / "output"
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""
