"""A second machine, which knows the hub's address and its own token and nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.application import ROOT, STATE, Application, wait
from tests.main_job.packages import source_package

pytestmark = pytest.mark.integration


@contextmanager
def elsewhere(application: Application, folder: Path) -> Iterator[Path]:
    """`manage.py builder` as on another machine; its folder. It has a copy of the base trees of these tests."""
    token = folder / "token"
    token.write_text(application.manage("add_host", "there"))
    token.chmod(0o600)
    state = folder / "state"
    state.mkdir()
    for name in ("bases", "archive"):
        subprocess.run(["cp", "--archive", "--reflink=auto", STATE / name, state / name], check=True)
    environment = {name: value for name, value in application.environment.items() if name != "DATABASE_URL"} | {
        "DEBATOMIC_HUB": application.address, "DEBATOMIC_HOST_TOKEN_FILE": str(token), "DEBATOMIC_HOST_NAME": "there",
        "DEBATOMIC_HOME": str(folder / "home"), "DEBATOMIC_STATE": str(state),
    }  # fmt: skip
    with (folder / "output").open("wb") as output:
        builder = subprocess.Popen(
            [sys.executable, "manage.py", "builder", "--grace", "1"], cwd=ROOT, env=environment,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        yield folder
    finally:
        beneath = psutil.Process(builder.pid).children(recursive=True)
        builder.terminate()
        builder.wait(90)
        assert not psutil.wait_procs(beneath, timeout=60)[1]


def test_a_host_without_database_builds_for_the_hub(application: Application, tmp_path: Path) -> None:
    with elsewhere(application, tmp_path) as folder:
        wait(lambda: _alive(application, "there"), 180, (folder / "output").read_text)
        _switch(application, "here", enabled=False)
        try:
            build = application.upload(source_package(tmp_path / "source", "faraway", build="echo far away"))
            ended = application.until(f"builds/{build['id']}/", seconds=240)
        finally:
            _switch(application, "here", enabled=True)
        told = (folder / "output").read_text()
        assert ended["state"] == "completed", f"{ended['reason']}\n{told}"
        task = application.task(build)
        assert task["host"] == "there"
        assert b"far away\n" in application.log(task)
        kept = {one["name"]: one["kind"] for one in application.get(f"builds/{build['id']}/artifacts/")}
        assert kept["faraway_1.0_amd64.deb"] == "binary" and "log" in kept.values()
        assert not list((folder / "home").glob("**/*.db"))
        own, of_the_hub = (home / "secret-key" for home in (folder / "home", application.home))
        assert own.read_text() != of_the_hub.read_text()
        wait(lambda: not list((folder / "state" / "tasks").glob("*")), 60)


def _alive(application: Application, name: str) -> bool:
    return any(host["name"] == name and host["is_alive"] for host in application.get("hosts/")["results"])


def _switch(application: Application, name: str, *, enabled: bool) -> None:
    """As an administrator does on the host's page."""
    with application.signed_in("administrator") as browser:
        answer = browser.post(f"/hosts/{name}/{'enable' if enabled else 'disable'}/")
    assert answer.status_code == 302, answer.text
    assert application.get(f"hosts/{name}/")["in_service"] is enabled
