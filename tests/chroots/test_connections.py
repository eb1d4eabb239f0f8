"""Many files from one server come through few connections; one that the server dropped costs nothing but time."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from chroots.engine.archives.fetch import PARALLEL, Missing, RemoteFile, Store, opened, read

COUNT = 40


class Server(BaseHTTPRequestHandler):
    """Answers `/N` with N, and tells how many connections there were; some servers drop theirs without a word."""

    protocol_version = "HTTP/1.1"
    connections = 0
    counting = threading.Lock()
    dropping = False

    def setup(self) -> None:
        with self.counting:
            type(self).connections += 1
        super().setup()

    def do_GET(self) -> None:
        found = "lost" not in self.path
        body = self.path[1:].encode() * 1000
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.dropping

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serving(*, dropping: bool = False) -> Iterator[tuple[str, type[Server]]]:
    handler = type("Handler", (Server,), {"connections": 0, "dropping": dropping})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", handler
        finally:
            server.shutdown()


def files(address: str) -> list[RemoteFile]:
    contents = {str(number): str(number).encode() * 1000 for number in range(COUNT)}
    return [
        RemoteFile(name=name, url=f"{address}/{name}", size=len(body), sha256=hashlib.sha256(body).hexdigest())
        for name, body in contents.items()
    ]


@pytest.mark.parametrize("dropping", [False, True])
def test_files_come_through_few_connections(dropping: bool, tmp_path: Path) -> None:
    with serving(dropping=dropping) as (address, handler):
        paths = Store(tmp_path).get_all(files(address))
        assert [path.read_bytes()[:2] for path in paths] == [f"{n}{n}".encode()[:2] for n in range(COUNT)]
        assert (handler.connections == COUNT) if dropping else (handler.connections <= PARALLEL)


def test_an_answer_that_was_not_read_is_not_taken_for_the_next_one() -> None:
    with serving() as (address, handler):
        with opened(f"{address}/first") as answer:
            assert answer.read(5) == b"first"
        with pytest.raises(Missing):
            read(f"{address}/lost", limit=1 << 20)
        assert read(f"{address}/second", limit=1 << 20) == b"second" * 1000
        with opened(f"{address}/outer") as outer:
            assert read(f"{address}/inner", limit=1 << 20) == b"inner" * 1000
            assert outer.read() == b"outer" * 1000
        assert handler.connections == 4
