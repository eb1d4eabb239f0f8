"""A network of its own: the hub and every host in a network namespace each, with a bridge in the hub's.

Nothing of it is seen from outside: its addresses and ports collide with nobody's.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from debatomic.tools.run import run

HUB_ADDRESS = "198.18.0.1"  # of the range for benchmarks of networks (RFC 2544)


class Namespace:
    """A network namespace; `within` is what a command begins with to run in it and to die with this program."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.within = ("setpriv", "--pdeathsig", "KILL", "--", "nsenter", f"--net=/run/netns/{name}", "--")

    def ip(self, *args: str) -> None:
        run(["ip", "-n", self.name, *args])

    def pids(self) -> list[int]:
        return [int(pid) for pid in run(["ip", "netns", "pids", self.name], capture=True).stdout.split()]

    def listens(self, port: int) -> bool:
        return f":{port} " in run([*self.within, "ss", "-ltnH"], capture=True).stdout

    def kill(self, seconds: float = 10) -> None:
        """End all its processes at once. Raises TimeoutError for one that stays."""
        until = time.monotonic() + seconds
        while pids := self.pids():
            if time.monotonic() > until:
                raise TimeoutError(f"Processes {pids} of {self.name} cannot be killed.")
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)


class Network:
    """The hub's namespace and the hosts', by their names."""

    def __init__(self, hub: Namespace, hosts: dict[str, Namespace]) -> None:
        self.hub = hub
        self.hosts = hosts

    def cut(self, host: str) -> None:
        self.hub.ip("link", "set", host, "down")

    def mend(self, host: str) -> None:
        self.hub.ip("link", "set", host, "up")


@contextmanager
def namespace(name: str) -> Iterator[Namespace]:
    """A namespace, until the block ends; its processes end with it."""
    run(["ip", "netns", "add", name])
    made = Namespace(name)
    try:
        made.ip("link", "set", "lo", "up")
        yield made
    finally:
        made.kill()
        run(["ip", "netns", "delete", name])


@contextmanager
def network(name: str, hosts: Sequence[str]) -> Iterator[Network]:
    """The hub with `HUB_ADDRESS` and these hosts, each with a cable to the hub's bridge."""
    with ExitStack() as undo:
        hub = undo.enter_context(namespace(f"{name}-hub"))
        hub.ip("link", "add", "lan", "type", "bridge")
        hub.ip("address", "add", f"{HUB_ADDRESS}/24", "dev", "lan")
        hub.ip("link", "set", "lan", "up")
        made = {host: undo.enter_context(namespace(f"{name}-{host}")) for host in hosts}
        for number, (host, there) in enumerate(made.items(), 2):
            hub.ip("link", "add", host, "type", "veth", "peer", "name", "lan", "netns", there.name)
            hub.ip("link", "set", host, "master", "lan", "up")
            there.ip("address", "add", f"198.18.0.{number}/24", "dev", "lan")
            there.ip("link", "set", "lan", "up")
        yield Network(hub, made)
