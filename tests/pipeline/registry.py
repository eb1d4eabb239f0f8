"""A registry of containers on a free port, for as long as a test needs it."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Debian's docker-registry with its files in `folder`; its address, host and port."""
    address = f"127.0.0.1:{free_port()}"
    configuration = {"version": 0.1, "storage": {"filesystem": {"rootdirectory": str(folder)}},
                     "http": {"addr": address}, "log": {"level": "error"}}  # fmt: skip
    (folder / "config.yml").write_text(json.dumps(configuration))
    with subprocess.Popen(["docker-registry", "serve", str(folder / "config.yml")]) as process:
        try:
            wait_for(address, process)
            yield address
        finally:
            process.terminate()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://{address}/v2/", timeout=5):
                return
        except OSError:  # also of a connection that it ends again
            time.sleep(0.1)
    raise AssertionError(f"no registry at {address}")
