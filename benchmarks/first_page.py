"""Seconds from `manage.py run` (`make run` once all is installed) to the first page, with a new home and an old one.

    sudo python -m benchmarks.first_page [--rounds 5]

The page is the dashboard as a visitor gets it. Results with method: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

TOP = Path(__file__).resolve().parents[1]
PATIENCE = 60.0  # seconds


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def first_page(home: Path) -> float:
    """Start the application, wait for the dashboard, end it; the seconds to the page."""
    port = free_port()
    env = {**os.environ, "DEBATOMIC_HOME": str(home), "DEBATOMIC_PORT": str(port)}
    began = time.monotonic()
    with subprocess.Popen([sys.executable, "manage.py", "run"], cwd=TOP, env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # fmt: skip
        try:
            while not answers(port):
                if process.poll() is not None or time.monotonic() - began > PATIENCE:
                    raise SystemExit("The application did not start: `make run` says why.")
                time.sleep(0.02)
            return time.monotonic() - began
        finally:
            process.send_signal(signal.SIGTERM)


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/", timeout=PATIENCE).status_code == 200
    except httpx.TransportError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description="Seconds from `make run` to the first page.")
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    fresh, again = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="first-page-") as home:
            fresh.append(first_page(Path(home)))
            again.append(first_page(Path(home)))
    for name, seconds in (("new home", fresh), ("old home", again)):
        print(f"{name}: median {statistics.median(seconds):.2f} s, {min(seconds):.2f} to {max(seconds):.2f} s")


if __name__ == "__main__":
    main()
