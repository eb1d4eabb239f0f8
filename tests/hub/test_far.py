"""A builder on another machine: HTTP, its own token and nothing else; the hub may die and return meanwhile."""

from __future__ import annotations

import hashlib
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hub.site import PYTHON, ROOT, Site, called, kill, marked, wait

pytestmark = pytest.mark.integration


def lines_around(folder: Path) -> str:
    """Twenty lines, twenty more once `away` is there, after which `written` is, and the last twenty after `back`."""
    lines = "for n in $(seq {} {}); do echo line $n of the log; sleep 0.02; done"
    until = f"until test -e {folder}/{{}}; do sleep 0.05; done"
    return "; ".join([lines.format(1, 20), until.format("away"), lines.format(21, 40), f"touch {folder}/written",
                      until.format("back"), lines.format(41, 60)])  # fmt: skip


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


@pytest.fixture
def far(site: Site, tmp_path: Path) -> Callable[..., Any]:
    """Start a builder that knows the hub's address and its token, and neither database nor secret."""

    def start(address: str) -> subprocess.Popen[bytes]:
        token = tmp_path / "token"
        token.write_text(site.manage("add_host", "far", "--architectures", "amd64"))
        process = site.spawn(
            "manage.py", "builder", "--grace", "1", DEBATOMIC_HUB=address, DEBATOMIC_HOST_TOKEN_FILE=str(token),
            DEBATOMIC_HOME=str(tmp_path / "far"), DEBATOMIC_HOST_NAME="far", DATABASE_URL="",
        )  # fmt: skip
        wait(lambda: len(called(process.pid, "idle")) == 2, otherwise=site.output)
        return process

    return start


def test_a_builder_far_away_does_the_same_work(site: Site, far: Callable[..., Any], tmp_path: Path) -> None:
    far(site.web())
    source = tmp_path / "source"
    source.write_bytes(b"some source\n" * 10)
    sha256 = site.ask(f"store.put(Path({str(source)!r}))")[0]
    script = "cp $1/../x.dsc $1/copy; head -c 3000000 /dev/zero > $1/zeros; echo made"
    request = {"script": script, "files": {"x.dsc": sha256}}
    task = site.ask(f"submit('', request={request})")[0]
    assert site.until(task, "completed")["host__name"] == "far"
    kept = dict(site.ask(f"list(Artifact.objects.filter(task={task}, kind='other').values_list('name', 'sha256'))"))
    assert kept == {"copy": sha256, "zeros": hashlib.sha256(bytes(3_000_000)).hexdigest()}
    failed = site.until(site.ask("submit('echo no; exit 3')")[0], "failed")
    assert failed["reason"] == "script exited with status 3."
    assert not (tmp_path / "far" / "hub.db").exists()


def test_a_hub_that_dies_and_returns_loses_no_line(site: Site, far: Callable[..., Any], tmp_path: Path) -> None:
    address = site.web()
    far(address)
    task = site.ask(f"submit({lines_around(tmp_path)!r})")[0]
    wait(lambda: site.ask(f"logs.size({task}, 1, 'log')") > 100, otherwise=site.output)
    kill(site.web_process)
    site.web_process.wait()
    (tmp_path / "away").touch()
    wait((tmp_path / "written").exists, 60, site.output)
    site.web(port=port_of(address))
    (tmp_path / "back").touch()
    ended = site.until(task, "completed", seconds=120)
    assert (ended["attempt"], ended["host__name"]) == (1, "far")
    lines = site.ask(f"logs.read({task}, 1, 'log', 0, 99999).decode()").splitlines()
    assert lines == [f"line {number} of the log" for number in range(1, 61)]


def test_an_end_that_comes_while_the_hub_is_away_is_told_later(
    site: Site, far: Callable[..., Any], tmp_path: Path
) -> None:
    address = site.web()
    far(address)
    script = f"echo begun; until test -e {tmp_path}/go; do sleep 0.05; done; echo end; echo 1 > $1/result.txt"
    task = site.ask(f"submit({script!r})")[0]
    wait(lambda: site.ask(f"logs.size({task}, 1, 'log')"), otherwise=site.output)
    kill(site.web_process)
    site.web_process.wait()
    (tmp_path / "go").touch()
    wait(lambda: list((tmp_path / "far" / "host" / "tasks").glob("*/output/result.txt")), otherwise=site.output)
    assert site.state(task) == "running"
    site.web(port=port_of(address))
    assert site.until(task, "completed", seconds=120)["attempt"] == 1
    assert site.ask(f"logs.read({task}, 1, 'log', 0, 99).decode()") == "begun\nend\n"


def test_cancel_reaches_far_and_leaves_nothing(site: Site, far: Callable[..., Any], tmp_path: Path) -> None:
    far(site.web())
    mark = f"mark-{uuid.uuid4().hex}"
    task = site.ask(f"submit(': {mark}; sleep 600; true')")[0]
    wait(lambda: site.state(task) == "running" and marked(mark))
    site.ask(f"hub.cancel(Task.objects.get(pk={task}), None)")
    site.until(task, "canceled")
    wait(lambda: not marked(mark) and not list((tmp_path / "far" / "host" / "tasks").iterdir()), otherwise=site.output)


def test_a_far_builder_that_dies_is_replaced_by_itself(site: Site, far: Callable[..., Any], tmp_path: Path) -> None:
    address = site.web()
    first = far(address)
    script = f"if test -e {tmp_path}/again; then exit 0; fi; touch {tmp_path}/again; sleep 600"
    task = site.ask(f"submit({script!r})")[0]
    wait((tmp_path / "again").exists)
    kill(first)
    first.wait()
    far(address)
    assert site.until(task, "completed", seconds=120)["attempt"] == 2


def test_without_a_token_a_builder_says_what_to_do(site: Site, tmp_path: Path) -> None:
    refused = subprocess.run(
        [PYTHON, "manage.py", "builder"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**site.environment, "DEBATOMIC_HUB": "http://127.0.0.1:9", "DEBATOMIC_HOST_TOKEN_FILE": "/no/token",
             "DEBATOMIC_HOME": str(tmp_path / "far")},
    )  # fmt: skip
    assert refused.returncode == 1
    assert "The host token '/no/token' cannot be read" in refused.stderr
    assert "manage.py builder --register TOKEN" in refused.stderr
    assert "Traceback" not in refused.stderr
