"""The commit that is not published yet, served by HTTP to the machine of the upgrade gate and to nobody else.

The server listens on loopback and answers below a secret word only. The machine reaches it by one address of its
network, behind which QEMU starts a relay for each connection.
"""

from __future__ import annotations

import os
import secrets
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from composes.pipeline.delivery import copy_repository
from composes.pipeline.job import Job
from composes.pipeline.machines.machine import GATE_ADDRESS
from composes.pipeline.publishing.ostree import Repo

IDLE_SECONDS = 120  # a connection on which nothing comes is closed
RELAY = """\
exec 3<>/dev/tcp/127.0.0.1/{port} || exit 1
cat <&3 &
cat >&3
kill $!
"""


@dataclass(kw_only=True)
class Served:
    """What is served: `url` as the machine says it; `files` and `bytes` were sent so far."""

    url: str
    relay: str
    files: int = 0
    bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def sent(self, size: int) -> None:
        """Count one more file; each connection has a thread of its own."""
        with self._lock:
            self.files += 1
            self.bytes += size


def candidate(job: Job, ref: str, other_ref: str) -> tuple[Repo, str]:
    """A repository with the new commit under `ref`, and under `other_ref` a commit of the same content; its id."""
    path = job.folder / "candidate"
    copy_repository(job.input("commit", "repo"), path)
    repo, facts = Repo(job.tools, path), job.inputs["commit"].facts
    other = repo.read(
        "commit", "--orphan", f"--bind-ref={other_ref}", "--bootable", "--fsync=no", f"--timestamp=@{facts['date']}",
        f"--subject={job.tree.name} {job.tree.variant} {facts['version']} as {other_ref}",
        f"--add-metadata-string=version={facts['version']}", f"--tree=ref={ref}",
    ).splitlines()[-1]  # fmt: skip
    repo.set_ref(other_ref, other)
    repo.summary()
    return repo, other


@contextmanager
def served(repository: Path, folder: Path) -> Iterator[Served]:
    """`repository` by HTTP inside the block; the relay's script is written into `folder`."""
    word = secrets.token_urlsafe(24)
    script = folder / "relay.sh"
    counts = Served(url=f"http://{GATE_ADDRESS}/{word}/", relay=f"/bin/bash {shlex.quote(os.fspath(script))}")
    handler = partial(_Handler, directory=os.fspath(repository), word=word, counts=counts)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        script.write_text(RELAY.format(port=server.server_address[1]))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield counts
        finally:
            server.shutdown()
            script.unlink()


class _Handler(SimpleHTTPRequestHandler):
    """Files of one folder below a secret word, and no lists of them."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS

    def __init__(self, *args: Any, word: str, counts: Served, **more: Any) -> None:
        self.word, self.counts = word, counts
        super().__init__(*args, **more)

    def send_head(self) -> Any:
        head, _, rest = self.path.lstrip("/").partition("/")
        if not secrets.compare_digest(head.encode(), self.word.encode()):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        self.path = f"/{rest}"
        return super().send_head()

    def list_directory(self, path: Any) -> None:
        self.send_error(HTTPStatus.NOT_FOUND)

    def copyfile(self, source: Any, outputfile: Any) -> None:
        self.counts.sent(os.fstat(source.fileno()).st_size)
        super().copyfile(source, outputfile)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: thousands of files are asked for."""
