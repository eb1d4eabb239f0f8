"""The way by HTTP: the same words, whoever speaks them, repeated, late or out of order."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from debatomic.tools.errors import InputError, Kind, ToolError
from hosts import hub
from hosts.builder.brokers import ClaimBroker
from hosts.builder.connection import Beat, Claimed, ClaimLost, File, Hub, Unreachable
from hosts.builder.local import LocalHub
from hosts.builder.remote import RemoteHub
from hosts.kept import store
from hosts.live import logs
from hosts.models import Artifact, Host, State, Task

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["database", "http"])
def hub_here(request: Any, host: Host, settings: Any) -> Iterator[Hub]:
    """Both ways of a host to the hub; they must answer alike."""
    if request.param == "database":
        settings.HOST_NAME = host.name
        yield LocalHub()
    else:
        live = request.getfixturevalue("live_server")
        yield RemoteHub(live.url, host.new_token())


def token() -> str:
    return str(uuid.uuid4())


def started(hub_here: Hub) -> str:
    [claimed] = hub_here.claim(token(), 4)
    assert hub_here.start(claimed.claim)
    return claimed.claim


def test_a_claim_that_was_given_up_before_its_answer_came_keeps_no_host_from_working(
    make: Any, host: Host, hub_here: Hub
) -> None:
    class Broker(ClaimBroker):
        def connect(self) -> Hub:
            return hub_here

    task, broker = make(), Broker("tests")
    assert hub.claim(host, token=uuid.UUID(broker._token))  # its answer was lost
    hub.release(uuid.UUID(broker._token), "The reaper was faster.")
    assert broker.dequeue() is None
    messages = broker.dequeue()
    assert messages and messages[0][0] == task.pk


def test_a_task_from_claim_to_finish(make: Any, hub_here: Hub, tmp_path: Path) -> None:
    task = make(request={"script": "true", "number": 3}, limits={"time_limit": 60})
    mine = token()
    assert hub_here.claim(mine, 4) == [Claimed(task.pk, mine)]
    assert hub_here.claim(mine, 4) == [Claimed(task.pk, mine)]  # its answer was lost
    assert hub_here.claim(token(), 4) == []
    job = hub_here.start(mine)
    assert job is not None
    assert (job.task, job.attempt, job.request, job.limits) == (task.pk, 1, task.request, {"time_limit": 60})
    assert hub_here.beat(mine, {"phase": "build"}) == Beat(keep=True)
    assert hub_here.log(mine, "log", 0, b"one\n") == 4
    (tmp_path / "x.deb").write_bytes(b"content")
    ticks: list[int] = []
    sha256 = hub_here.upload(mine, tmp_path / "x.deb", lambda: ticks.append(1))
    assert hub_here.finish(mine, {"ok": 1}, [File(name="x.deb", kind="binary", sha256=sha256)])
    task.refresh_from_db()
    assert (task.state, task.result) == (State.COMPLETED, {"ok": 1})
    kept = Artifact.objects.get(name="x.deb")
    assert (kept.size, store.open(kept.sha256).read()) == (7, b"content")
    assert logs.read(task.pk, 1, "log", 0, 100) == b"one\n"
    assert ticks


def test_repeated_and_disordered_sends_of_a_log_change_nothing(make: Any, hub_here: Hub) -> None:
    task = make()
    claim = started(hub_here)
    assert hub_here.log(claim, "log", 0, b"abc") == 3
    assert hub_here.log(claim, "log", 0, b"abc") == 3
    assert hub_here.log(claim, "log", 9, b"later") == 3  # go on from 3: something is missing
    assert hub_here.log(claim, "log", 1, b"bcde") == 5
    assert logs.read(task.pk, 1, "log", 0, 100) == b"abcde"


def test_who_lost_the_claim_is_told_so_everywhere(make: Any, hub_here: Hub, tmp_path: Path) -> None:
    task = make(request={"file": "0" * 64})
    claim = started(hub_here)
    hub.release(uuid.UUID(claim), "lost")
    before = Task.objects.values().get()
    assert hub_here.start(claim) is None
    assert hub_here.beat(claim, {"phase": "late"}) == Beat(keep=False)
    assert not hub_here.finish(claim, {}, [])
    assert not hub_here.fail(claim, reason="late", kind="build", decisive=[])
    assert not hub_here.release(claim, "late")
    with pytest.raises(ClaimLost):
        hub_here.log(claim, "log", 0, b"late")
    with pytest.raises(ClaimLost):
        hub_here.fetch(claim, "0" * 64, tmp_path / "x", int)
    assert Task.objects.values().get() == before
    assert logs.size(task.pk, 1, "log") == 0


def test_a_start_that_was_not_answered_is_said_again(make: Any, hub_here: Hub) -> None:
    make()
    claim = started(hub_here)
    assert hub_here.start(claim) is None
    assert hub_here.start(claim, again=True)


def test_a_host_reads_what_the_request_names_and_nothing_else(make: Any, hub_here: Hub, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"source" * 100_000)
    (tmp_path / "secret").write_bytes(b"secret")
    named, _ = store.put(tmp_path / "source")
    other, _ = store.put(tmp_path / "secret")
    make(request={"files": [{"name": "x.dsc", "sha256": named}]})
    claim = started(hub_here)
    hub_here.fetch(claim, named, tmp_path / "copy", int)
    assert (tmp_path / "copy").read_bytes() == b"source" * 100_000
    with pytest.raises(InputError, match="names no file"):
        hub_here.fetch(claim, other, tmp_path / "stolen", int)
    assert not (tmp_path / "stolen").exists()


def test_a_result_that_names_a_file_never_sent_is_refused_whole(make: Any, hub_here: Hub) -> None:
    task = make()
    claim = started(hub_here)
    with pytest.raises(InputError, match=r"The content of x\.deb is not in the store"):
        hub_here.finish(claim, {}, [File(name="x.deb", kind="binary", sha256="1" * 64)])
    task.refresh_from_db()
    assert task.state == State.RUNNING


def test_cancel_and_failure(make: Any, hub_here: Hub) -> None:
    task = make()
    claim = started(hub_here)
    hub.cancel(task, None)
    assert hub_here.beat(claim, None) == Beat(keep=True, cancel=True)
    assert hub_here.fail(claim, reason="Canceled.", kind="canceled", decisive=[])
    task.refresh_from_db()
    assert task.state == State.CANCELED


def test_a_failure_says_its_cause(make: Any, hub_here: Hub) -> None:
    task = make()
    assert hub_here.fail(started(hub_here), reason="No.", kind="build", decisive=["E: no"], cause="compile")
    task.refresh_from_db()
    assert (task.state, task.kind, task.cause, task.decisive) == (State.FAILED, "build", "compile", ["E: no"])


def test_a_host_learns_what_it_holds(make: Any, hub_here: Hub, host: Host) -> None:
    task = make()
    claim = started(hub_here)
    held = hub_here.report({"load": [1, 2, 3]})
    assert [(one.task, one.claim, one.state, one.attempt) for one in held] == [(task.pk, claim, "running", 1)]
    assert held[0].seconds < 60
    host.refresh_from_db()
    assert host.is_alive
    assert host.report == {"load": [1, 2, 3]}


@pytest.mark.integration
def test_a_full_disk_of_the_hub_is_told_as_such(make: Any, hub_here: Hub, home: Path, tmp_path: Path) -> None:
    """Mounts a small file system: needs root."""
    make()
    claim = started(hub_here)
    (tmp_path / "large").write_bytes(b"x" * 2_000_000)
    (home / "artifacts").mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", home / "artifacts"], check=True)
    try:
        with pytest.raises(ToolError, match="The hub's disk is full: the file cannot be kept") as refused:
            hub_here.upload(claim, tmp_path / "large", int)
        assert list(store.half_written().iterdir()) == []
    finally:
        subprocess.run(["umount", "--lazy", home / "artifacts"], check=True)
    assert refused.value.kind == Kind.DISK


# What only HTTP can get wrong


@pytest.fixture
def speak(host: Host, client: Client) -> Any:
    """Send as this host: speak(method, path, body) → answer."""
    bearer = f"Bearer {host.new_token()}"

    def send(method: str, path: str, said: Any = None, **options: Any) -> Any:
        kind = "application/octet-stream" if isinstance(said, bytes) else "application/json"
        return client.generic(method, f"/api/v1/builder/{path}", said if isinstance(said, bytes) else _json(said),
                              content_type=kind, headers={"authorization": bearer, **options})  # fmt: skip

    return send


def _json(said: Any) -> str:
    return "" if said is None else json.dumps(said)


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer dh_", "Bearer dh_wrong", "Basic x", "Bearer da_key"])
@pytest.mark.parametrize(
    "path", ["claim", "report", f"claims/{uuid.UUID(int=1)}/start", f"claims/{uuid.UUID(int=2)}/files/00"]
)
def test_strangers_get_nothing(host: Host, client: Client, authorization: str, path: str) -> None:
    send = client.put if "files" in path else client.post
    answer = send(f"/api/v1/builder/{path}", b"{}", content_type="application/json",
                  headers={"authorization": authorization})  # fmt: skip
    assert answer.status_code == 401
    assert "token" in answer.json()["detail"]


def test_an_old_token_ends_with_a_new_one(host: Host, client: Client) -> None:
    old, new = host.new_token(), host.new_token()
    statuses = [client.post("/api/v1/builder/report", b"{}", content_type="application/json",
                            headers={"authorization": f"Bearer {one}"}).status_code for one in (old, new)]  # fmt: skip
    assert statuses == [401, 200]


def test_a_host_cannot_touch_the_task_of_another(make: Any, host: Host, speak: Any, default_channel: Any) -> None:
    other = Host.objects.create(name="other", architectures=["amd64"])
    other.channels.add(default_channel)
    task = make()
    won = hub.claim(other)
    assert won and won.claim
    for path, said in {"start": {}, "beat": {}, "fail": {"reason": "x", "kind": "build", "decisive": []},
                       "finish": {"result": {}, "files": []}, "release": {"reason": "x"}}.items():  # fmt: skip
        assert speak("POST", f"claims/{won.claim}/{path}", said).status_code == 410, path
    task.refresh_from_db()
    assert task.state == State.ASSIGNED


@pytest.mark.parametrize(("method", "path", "said", "status"), [
    ("GET", "claim", None, 405), ("POST", "claim", None, 400), ("POST", "claim", [], 400), ("POST", "claim", {}, 400),
    ("POST", "claim", {"token": "x", "slots": 1}, 400), ("POST", "report", b"\xff", 400),
    ("POST", "claims/{claim}/log/log", b"x", 400), ("POST", "claims/{claim}/log/log?offset=x", b"x", 400),
    ("POST", "claims/{claim}/log/..log?offset=0", b"x", 422), ("POST", "claims/{claim}/finish", {"result": {}}, 400),
    ("POST", "claims/{claim}/finish", {"result": {}, "files": [{"x": 1}]}, 400),
    ("POST", "claims/{claim}/fail", {"reason": "x"}, 400), ("PUT", "claims/{claim}/files/..", b"x", 422),
    ("PUT", "claims/{claim}/files/" + "0" * 64, b"x", 422), ("GET", "claims/{claim}/files/xyz", None, 422),
    ("DELETE", "claims/{claim}/files/" + "0" * 64, None, 405),
])  # fmt: skip
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    make: Any, speak: Any, host: Host, method: str, path: str, said: Any, status: int
) -> None:
    make()
    won = hub.claim(host)
    assert won and won.claim
    hub.start(won.claim)
    before = Task.objects.values().get()
    answer = speak(method, path.format(claim=won.claim), said)
    assert answer.status_code == status, answer.content
    assert answer.json()["detail"]
    assert Task.objects.values().get() == before


def test_an_upload_is_verified_capped_and_safe_to_repeat(
    make: Any, speak: Any, host: Host, settings: Any, home: Path
) -> None:
    make()
    won = hub.claim(host)
    assert won and won.claim
    hub.start(won.claim)
    content = b"deb" * 1000
    sha256 = hashlib.sha256(content).hexdigest()
    path = f"claims/{won.claim}/files/{sha256}"
    assert speak("HEAD", path).status_code == 404
    assert [speak("PUT", path, content).status_code for _ in range(2)] == [201, 201]
    assert speak("HEAD", path).status_code == 204
    settings.UPLOAD_LIMIT_BYTES = 100
    assert speak("PUT", path, content).status_code == 413
    assert [file.name for file in (home / "artifacts").rglob("*") if file.is_file()] == [sha256]


@pytest.mark.parametrize("answer, sentence", [
    ("200 OK", "Something else than the hub answers"), ("302 Found\r\nLocation: /login", "The hub answered 302"),
    ("502 Bad Gateway", "The hub answered 502"),
])  # fmt: skip
def test_a_proxy_that_answers_for_a_hub_that_is_not_there(host: Host, answer: str, sentence: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        page = f"HTTP/1.1 {answer}\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>".encode()

        def answers() -> None:
            connection = proxy.accept()[0]
            with connection:
                heard = b""
                while not heard.endswith(b"{}") and (more := connection.recv(65536)):
                    heard += more
                connection.sendall(page)

        answering = threading.Thread(target=answers)
        answering.start()
        with pytest.raises(Unreachable, match=sentence):
            RemoteHub(f"http://127.0.0.1:{proxy.getsockname()[1]}", "dh_x").report({})
        answering.join(timeout=30)


def test_a_hub_that_is_not_there_is_unreachable(host: Host) -> None:
    with pytest.raises(Unreachable, match="does not answer"):
        RemoteHub("http://127.0.0.1:9", "dh_x").claim(token(), 1)
