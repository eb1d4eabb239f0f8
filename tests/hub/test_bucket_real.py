"""A hub whose files lie in S3-compatible storage that goes away and comes back; its builder knows nothing of that."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from tests.hub.site import Site, called, site_at, wait
from tests.storage import KEYS, InBucket

pytestmark = pytest.mark.integration


class Server:
    """Speaks S3; what it has outlives a stop."""

    def __init__(self) -> None:
        self.port = 0
        self.start()

    def start(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self.port, verbose=False)
        self._server.start()
        self.port = self._server.get_host_and_port()[1]

    def stop(self) -> None:
        self._server.stop()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.stop()


@pytest.fixture
def site(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name, value in {
        **KEYS,
        "DEBATOMIC_ARTIFACTS": "s3://debatomic/kept",
        "DEBATOMIC_S3_ENDPOINT": server.address,
    }.items():
        monkeypatch.setenv(name, value)
    with site_at(tmp_path / "site") as made:
        yield made


def test_work_waits_for_storage_that_is_away(site: Site, server: Server, tmp_path: Path) -> None:
    bucket = InBucket(server.address, "debatomic", "kept/", tmp_path / "nothing")
    nothing = dict.fromkeys(("DEBATOMIC_ARTIFACTS", "DEBATOMIC_S3_ENDPOINT", "DATABASE_URL", *KEYS), "")
    token = tmp_path / "token"
    token.write_text(site.manage("add_host", "far", "--architectures", "amd64"))
    far = site.spawn("manage.py", "builder", "--grace", "1", **{
        **nothing, "DEBATOMIC_HUB": site.web(), "DEBATOMIC_HOST_TOKEN_FILE": str(token),
        "DEBATOMIC_HOME": str(tmp_path / "far"), "DEBATOMIC_HOST_NAME": "far",
    })  # fmt: skip
    wait(lambda: called(far.pid, "idle"), 60, site.output)
    source = tmp_path / "source"
    source.write_bytes(b"some source\n" * 10)
    sha256 = site.ask(f"store.put(Path({str(source)!r}))")[0]
    script = f"cp $1/../x.dsc $1/copy; until test -e {tmp_path}/go; do sleep 0.1; done; " \
             "head -c 20000000 /dev/zero > $1/zeros; echo made; touch $1/../done"  # fmt: skip
    request = {"script": script, "files": {"x.dsc": sha256}}
    task = site.ask(f"submit('', request={request})")[0]
    wait(lambda: list((tmp_path / "far").glob("host/tasks/*/output/copy")), 60, site.output)
    server.stop()
    (tmp_path / "go").touch()
    wait(lambda: list((tmp_path / "far").glob("host/tasks/*/done")), 60, site.output)
    wait(lambda: "503" in site.output() or "does not answer" in site.output(), 60, site.output)
    assert site.state(task) == "running"
    server.start()
    ended = site.until(task, "completed", seconds=90)
    assert (ended["host__name"], ended["attempt"]) == ("far", 1)
    kept = dict(site.ask(f"list(Artifact.objects.filter(task={task}, kind='other').values_list('name', 'sha256'))"))
    zeros = hashlib.sha256(bytes(20_000_000)).hexdigest()
    assert kept == {"copy": sha256, "zeros": zeros}
    assert len(bucket.read(zeros)) == 20_000_000 and not bucket.uploads()
    site.manage("tick", "--once")
    assert site.ask(f"logs.read({task}, 1, 'log', 0, 99).decode()") == "made\n"
    assert site.ask(f"Log.objects.get(task={task}).sealed_at") and len(bucket.keys()) == 3
