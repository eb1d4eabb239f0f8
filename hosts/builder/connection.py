"""How a host speaks with the hub: the same words in the database on the hub's machine and by HTTP anywhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from debatomic.tools.errors import InfrastructureError
from hosts.registry import Job

Tick = Callable[[], object]


class Unreachable(InfrastructureError):
    """The hub or its database does not answer now; the same may be said again later."""


class ClaimLost(Exception):
    """This attempt is over for the hub: whoever runs it ends it and writes nothing."""


@dataclass(frozen=True)
class Claimed:
    """What a host got to do."""

    task: int
    claim: str


@dataclass(frozen=True)
class Beat:
    """What a host learns from its heartbeat: whether the claim still holds, and whether to cancel."""

    keep: bool
    cancel: bool = False


@dataclass(frozen=True, kw_only=True)
class Held:
    """A task the hub believes this host to hold, and for how many seconds it has been in this state."""

    task: int
    attempt: int
    claim: str
    state: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class File:
    """A file of an outcome; its content is in the store already."""

    name: str
    kind: str
    sha256: str
    media_type: str = "application/octet-stream"


class Hub(Protocol):
    """What a host may say. Every word may raise Unreachable; those that write under a claim also ClaimLost."""

    def claim(self, token: str, slots: int) -> list[Claimed]:
        """The next tasks for this host; the same token gets the same ones again, and ClaimLost once they are over."""

    def listen(self) -> int | None:
        """A file descriptor that can be read when there may be new work; None where no word comes."""

    def report(self, said: Mapping[str, Any]) -> list[Held]:
        """Tell how this host is, and learn what it holds."""

    def start(self, claim: str, *, again: bool = False) -> Job | None:
        """The job to do now, or None if the claim is lost."""

    def beat(self, claim: str, progress: Mapping[str, Any] | None) -> Beat:
        """Keep the claim."""

    def log(self, claim: str, name: str, offset: int, data: bytes) -> int:
        """Add to a log; the offset to go on from."""

    def upload(self, claim: str, path: Path, tick: Tick) -> str:
        """Put a file's content in the store: its SHA-256. `tick` is called between the pieces."""

    def fetch(self, claim: str, sha256: str, to: Path, tick: Tick) -> None:
        """Get a file that the task's request names."""

    def finish(self, claim: str, result: Mapping[str, Any], files: Sequence[File]) -> bool:
        """Tell the success; False if the claim is lost."""

    def fail(self, claim: str, *, reason: str, kind: str, decisive: Sequence[str], cause: str = "") -> bool:
        """Tell the failure; False if the claim is lost."""

    def release(self, claim: str, reason: str) -> bool:
        """Give the task back; False if the claim is lost."""
