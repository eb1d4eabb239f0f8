"""The real application for tests: `manage.py run` with a home of its own, and people and programs that use it."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.hub.site import called, command_line, database

ROOT = Path(__file__).resolve().parent.parent
STATE = Path(os.environ.get("DEBATOMIC_TEST_STATE") or ROOT / "var" / "test-state")  # kept from run to run
FINAL = ("completed", "failed", "canceled", "FINISHED", "FINISHED_INCOMPLETE", "DOOMED", "TERMINATED")
PAUSE = 0.25  # seconds between two questions to the application
logging.getLogger("httpx").setLevel(logging.WARNING)


def wait(true: Callable[[], Any], seconds: float, otherwise: Callable[[], object] = str) -> Any:
    """What `true` says as soon as it says something; fails after so many seconds, with what `otherwise` says."""
    until = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < until, f"not within {seconds} s: {otherwise()}"
        time.sleep(PAUSE)
    return value


class Application:
    """Web and one builder, as `make run` starts them; `STATE` keeps chroots and images between test runs."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.home = home
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DEBATOMIC_")},
            "DJANGO_SETTINGS_MODULE": "debatomic.settings", "DEBATOMIC_HOME": str(home),
            "DEBATOMIC_PORT": str(self.port), "DEBATOMIC_STATE": str(STATE), "DEBATOMIC_HOST_NAME": "here",
            "DEBATOMIC_CAPACITY": "2", "DEBATOMIC_SIGNING": str(STATE / "signing"), **environment,
        }  # fmt: skip
        self._keys: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    # Its processes

    def start(self) -> None:
        with (self.home / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "run"], cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        wait(self.answers, 240, self.output)

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.address}/sign-in/", timeout=30).status_code == 200
        except httpx.TransportError:
            return False

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def web(self) -> psutil.Process:
        """Daphne."""
        return self._program("daphne")

    def builder(self) -> psutil.Process:
        """`manage.py builder`, above its cluster."""
        return self._program("builder")

    def _program(self, word: str) -> psutil.Process:
        def there() -> list[psutil.Process]:
            return [one for one in psutil.Process(self.pid).children() if word in command_line(one)]

        return wait(there, 90, self.output)[0]  # type: ignore[no-any-return]

    def workers(self, words: str) -> list[psutil.Process]:
        """The processes of django-q whose title has these words: "processing", "idle", "pusher"."""
        return called(self.pid, words)

    def output(self) -> str:
        return (self.home / "output").read_text(errors="replace")[-6000:]

    def manage(self, *args: str) -> str:
        return subprocess.run(
            [sys.executable, "manage.py", *args], cwd=ROOT, env=self.environment, check=True, text=True,
            stdout=subprocess.PIPE,
        ).stdout.strip()  # fmt: skip

    def stop(self) -> None:
        """End it as an operator does, and see that nothing of it stays."""
        assert self._process is not None
        beneath = psutil.Process(self.pid).children(recursive=True)
        self._process.terminate()
        try:
            self._process.wait(40)
        finally:
            self._process.kill()
            _, alive = psutil.wait_procs(beneath, timeout=10)
            for one in alive:
                one.send_signal(signal.SIGKILL)
        assert self._process.returncode == 0, self.output()
        assert not alive, alive

    # People

    def password(self, person: str) -> str:
        lines = (self.home / "sign-ins").read_text().splitlines()
        return dict(line.split() for line in lines)[person]

    def key(self, person: str) -> str:
        """An API key of theirs, made with their password."""
        if person not in self._keys:
            answer = httpx.post(
                f"{self.address}/api/v1/keys/", auth=(person, self.password(person)), json={"name": "tests"}, timeout=60
            )
            self._keys[person] = str(answer.raise_for_status().json()["key"])
        return self._keys[person]

    def client(self, person: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key(person)}"} if person != "visitor" else {}
        return httpx.Client(base_url=f"{self.address}/api/v1/", headers=headers, timeout=60)

    @contextmanager
    def signed_in(self, person: str) -> Iterator[httpx.Client]:
        """Their browser, as far as forms go: with a session, sending the token against forged requests."""
        with httpx.Client(base_url=self.address, timeout=60) as browser:
            browser.get("/sign-in/")
            browser.headers["X-CSRFToken"] = browser.cookies["csrftoken"]
            form = {"username": person, "password": self.password(person)}
            assert browser.post("/sign-in/", data=form).status_code == 302
            browser.headers["X-CSRFToken"] = browser.cookies["csrftoken"]
            yield browser

    def command(
        self, *args: str | Path, person: str = "packager", seconds: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Run `debatomic` as this person."""
        environment = {**os.environ, "DEBATOMIC_HUB": self.address, "DEBATOMIC_KEY": self.key(person)}
        return subprocess.run(
            [sys.executable, "-m", "debatomic.client", *args], cwd=ROOT, env=environment, text=True,
            capture_output=True, check=False, timeout=seconds,
        )  # fmt: skip

    # What it does, as the API tells

    @cached_property
    def api(self) -> httpx.Client:
        return self.client("administrator")

    def get(self, path: str, **params: Any) -> Any:
        answer = self.api.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, **body: Any) -> Any:
        answer = self.api.post(path, **body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def upload(self, dsc: Path, *, scratch: bool = True) -> dict[str, Any]:
        """Submit the source package with all files beside it whose name begins alike."""
        paths = sorted(dsc.parent.glob(f"{dsc.name.partition('_')[0]}_*"))
        files = [("files", (path.name, path.read_bytes())) for path in paths]
        return dict(self.post("builds/", data={"target": "trixie", "scratch": str(scratch).lower()}, files=files))

    def until(self, path: str, *states: str, seconds: float = 300) -> dict[str, Any]:
        """The thing at this path once it is in one of these states (or any final one); fails on another end."""
        found: dict[str, Any] = {}

        def there() -> bool:
            found.update(self.get(path))
            return found["state"] in (states or FINAL) or found["state"] in FINAL

        wait(there, seconds, lambda: f"{path} is {found.get('state')}: {found.get('reason')}\n{self.output()}")
        assert not states or found["state"] in states, f"{path} is {found['state']}: {found['reason']}"
        return found

    def children(self, thing: dict[str, Any]) -> list[dict[str, Any]]:
        """The tasks beneath a build or a compose, oldest first."""
        return sorted(self.get("tasks/", parent=thing["task"])["results"], key=lambda task: int(task["id"]))

    def task(self, thing: dict[str, Any]) -> dict[str, Any]:
        """Its first task, with attempts and all."""
        return dict(self.get(f"tasks/{self.children(thing)[0]['id']}/"))

    def result(self, thing: dict[str, Any], name: str) -> dict[str, Any]:
        """What the results of all its tasks say under this name, together."""
        found: dict[str, Any] = {}
        for task in self.children(thing):
            found |= self.get(f"tasks/{task['id']}/")["result"].get(name) or {}
        return found

    def log(self, task: dict[str, Any], attempt: int = 1) -> bytes:
        """The whole log of an attempt so far."""
        content = b""
        while piece := self.api.get(f"tasks/{task['id']}/logs/{attempt}/log/", params={"offset": len(content)}).content:
            content += piece
        return content

    def until_log(self, thing: dict[str, Any], words: bytes, seconds: float = 240) -> dict[str, Any]:
        """The thing's first task, once these words are in its log."""

        def there() -> dict[str, Any] | None:
            task = self.task(thing)
            assert task["state"] not in FINAL, f"{task['title']} is {task['state']}: {task['reason']}"
            return task if task["logs"] and words in self.log(task, task["attempt"]) else None

        return wait(there, seconds, self.output)  # type: ignore[no-any-return]


@contextmanager
def running_application(home: Path) -> Iterator[Application]:
    """An application of its own, on SQLite or (where DATABASE_URL names one) a database of its own on PostgreSQL."""
    with database() as environment:
        application = Application(home, environment)
        try:
            application.start()
            yield application
        finally:
            application.stop()


def left_of(mark: str) -> list[str]:
    """What work left on this machine: processes with this mark, mounts, and files of anything that ran."""
    return [*processes_with(mark), *mounts(), *files()]


def processes_with(mark: str) -> list[str]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if mark in line and process.pid != os.getpid():
            found.append(f"process {process.pid}: {line}")
    return found


def mounts() -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [f"mount {line.split()[4]}" for line in lines if str(STATE) in line]


def files() -> list[str]:
    """What running work of this state folder keeps; only folders whose task runs may be there."""
    work = [*(STATE / "tasks").glob("*"), *(STATE / "attempts").glob("*"), *(STATE / "work").glob(".new-*")]
    return [f"file {path}" for path in work]
