"""Following a build to its end, with the host's part played between two looks."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from builds.models import Build, Target
from debatomic.access.models import User
from debatomic.client import account
from debatomic.client.hub import Hub
from debatomic.client.screen import Screen, harmless
from debatomic.client.watch import Follower, Reader
from hosts import hub as verbs
from hosts.live import logs
from hosts.models import Host
from tests import scene


@pytest.fixture
def build(users: dict[str, User], target: Target) -> Build:
    return scene.build(users["packager"], target)


def follow(known: account.Account, task: int, steps: Iterator[Any]) -> tuple[dict[str, Any], str, str]:
    """Follow a task; between two looks the next step is done. What it ended as, the log and the states shown."""
    out, status = io.StringIO(), io.StringIO()
    hub = Hub(known, say=status.write)
    with closing(hub):
        ended = Follower(hub, task, Screen(out, status), wait=lambda _: next(steps, None)).to_the_end()
    return ended, out.getvalue(), status.getvalue()


def test_the_log_comes_whole_and_the_end_is_told(
    packager: account.Account, build: Build, host: Host, tmp_path: Path
) -> None:
    def host_works() -> Iterator[None]:
        yield None
        task = scene.begin(build, host)
        yield None
        logs.append(task.pk, 1, "build", 19, "½ a line".encode())
        assert task.claim is not None
        verbs.beat(
            task.claim, progress={"phase": "build", "number": 2, "total": 4, "fraction": 0.5, "detail": "figlet"}
        )
        yield None
        logs.append(task.pk, 1, "build", 28, b", and the rest\nlast")
        yield None
        scene.complete(task, tmp_path)

    ended, log, states = follow(packager, build.task_id, host_works())
    assert ended["state"] == "completed"
    assert log == "unpacking\nbuilding\n½ a line, and the rest\nlast\n"
    lines = states.splitlines()
    assert lines[0] == "== figlet 2.2.5-3 for trixie, amd64: waiting for a host"
    assert "== amd64: 2/4 build 50% (figlet)" in lines
    assert lines.count("==> figlet 2.2.5-3 for trixie, amd64: build <==") == 1


def test_a_task_alone_can_be_followed(packager: account.Account, build: Build, host: Host, tmp_path: Path) -> None:
    task = scene.begin(build, host)
    scene.complete(task, tmp_path)
    ended, log, _ = follow(packager, task.pk, iter(()))
    assert (ended["state"], log) == ("completed", "unpacking\nbuilding\n")


def test_the_command_ends_as_the_build_did(
    debatomic: Callable[..., Any], packager: account.Account, build: Build, host: Host
) -> None:
    scene.fail(scene.begin(build, host))
    said = debatomic("watch", "build", build.pk)
    assert said.status == 1
    assert said.out.splitlines() == [
        "unpacking", "building", "  error: no such file",
        f"Build {build.pk} failed: figlet 2.2.5-3 for trixie, amd64: dpkg-buildpackage exited with status 2.",
    ]  # fmt: skip


def test_success_says_how_to_go_on(
    debatomic: Callable[..., Any], packager: account.Account, build: Build, host: Host, tmp_path: Path
) -> None:
    scene.complete(scene.begin(build, host), tmp_path)
    said = debatomic("watch", build.pk)
    assert said.status == 0 and f"`debatomic download build {build.pk}`" in said.out
    told = debatomic("watch", "build", build.pk, "--json")
    assert json.loads(told.out)["state"] == "completed" and "unpacking" in told.err


class Road:
    """A way to a server that can be closed and opened again, as a restart of the hub looks from outside."""

    def __init__(self, to: str) -> None:
        self._to = (urlsplit(to).hostname or "", urlsplit(to).port or 0)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.port = taken.getsockname()[1]
        self._gate: socket.socket | None = None
        self._open: list[socket.socket] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        self._gate = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, args=(self._gate,), daemon=True).start()

    def close(self) -> None:
        assert self._gate is not None
        for one in (self._gate, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _serve(self, gate: socket.socket) -> None:
        while True:
            try:
                caller, _ = gate.accept()
            except OSError:
                return
            server = socket.create_connection(self._to)
            self._open += [caller, server]
            for source, sink in ((caller, server), (server, caller)):
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                end.close()


def test_watching_survives_a_restart_of_the_hub(
    packager: account.Account, build: Build, host: Host, tmp_path: Path
) -> None:
    road = Road(packager.address)
    road.open()
    task = scene.begin(build, host)
    said: list[str] = []

    def restart() -> Iterator[None]:
        road.close()
        logs.append(task.pk, 1, "build", 19, b"while away\n")
        scene.complete(task, tmp_path)
        opened = threading.Timer(2.5, road.open)
        opened.start()
        yield None

    out = io.StringIO()
    steps = restart()
    hub = Hub(account.Account(road.address, packager.key), patience=30, say=said.append)
    with closing(hub):
        ended = Follower(hub, build.task_id, Screen(out, io.StringIO()), wait=lambda _: next(steps, None)).to_the_end()
    assert ended["state"] == "completed"
    assert out.getvalue() == "unpacking\nbuilding\nwhile away\n"
    assert len(said) == 1 and "does not answer" in said[0] and said[0].endswith("Trying again …")


@pytest.mark.parametrize(
    ("text", "colours", "plain"),
    [
        ("\x1b[31mred\x1b[0m\n", "\x1b[31mred\x1b[0m\n", "red\n"),
        ("\x1b]0;title\x07shown", "shown", "shown"),
        ("\x1b]52;c;Z2Vt\x1b\\shown", "shown", "shown"),
        ("\x1b[2J\x1b[1;1Hshown", "shown", "shown"),
        ("\x1bPq#0\x1b\\shown\x1bc", "shown", "shown"),
        ("10%\r20%\r\nend\x00\x08\n", "10%\n20%\nend\n", "10%\n20%\nend\n"),
        ("\x1b", "", ""),
    ],
)
def test_a_log_cannot_steer_the_terminal(text: str, colours: str, plain: str) -> None:
    assert harmless(text, colours=True) == colours
    assert harmless(text, colours=False) == plain


def test_a_reader_cuts_nothing_in_half() -> None:
    reader, text = Reader("log"), "ä\nö½\nß"
    pieces = [reader.text(bytes([byte])) for byte in text.encode()]
    assert [piece for piece in pieces if piece] == ["ä\n", "ö½\n"]
    assert reader.text(b"", last=True) == "ß\n"
