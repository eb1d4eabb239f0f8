"""A tree programs can be run in: layers below, changes above, a jail around, limits on all of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from chroots.engine.isolation.devices import devices
from chroots.engine.isolation.jail import Jail, jailed
from chroots.engine.isolation.seccomp import filter_file
from chroots.engine.isolation.terminal import Attachment, attached, with_terminal
from chroots.engine.isolation.userns import sealed_user_namespace
from chroots.engine.layers.base import Layer
from chroots.engine.layers.gauge import Gauge
from chroots.engine.layers.overlay import LAST_RESERVE, RESERVE, overlay, require_space
from chroots.engine.layers.sealing import require_places
from chroots.engine.spec import Limits
from debatomic.tools.errors import Kind, TimedOut
from debatomic.tools.limits import Group, limited
from debatomic.tools.run import Completed, Output, run

RESOLVER = Path("/etc/resolv.conf")


@dataclass(frozen=True, kw_only=True)
class Warden:
    """What all programs of one build share: its user namespace, devices, control group, clock and log."""

    folder: Path  # on the disk of this host that installed packages go to
    user_namespace: int
    devices: Path | None
    group: Group
    limits: Limits
    started_at: float  # monotonic
    log: Output
    what: str = "build"  # is limited so

    def remaining(self) -> float | None:
        """Seconds until the time limit."""
        if self.limits.time_limit is None:
            return None
        return max(0.0, self.started_at + self.limits.time_limit - time.monotonic())

    def out_of_time(self, error: TimedOut) -> TimedOut:
        """The sentence for a limit that ran out."""
        if error.kind == Kind.SILENCE:
            idle = f"The {self.what} wrote nothing for {self.limits.idle_limit:g} s, its idle limit, and was killed."
            return TimedOut(idle, hint=self.refused_processes(), kind=Kind.SILENCE)
        return TimedOut(f"The {self.what} did not end within its time limit of {self.limits.time_limit:g} s and was "
                        "killed.", hint=self.refused_processes())  # fmt: skip

    def refused_processes(self) -> str:
        """What to add to the reason of a failure that may come of the limit on processes."""
        if not (refused := self.group.process_refusals()):
            return ""
        return f"It was refused {refused} processes beyond its limit of {self.limits.processes}."


def group_name(work: Path) -> str:
    """The control group of what runs in that folder."""
    return f"debatomic-{work.name.strip('.')}"


@contextmanager
def warden(folder: Path, group: str, limits: Limits, memory: int, log: Output, *, what: str = "build"
           ) -> Iterator[Warden]:  # fmt: skip
    """Make what the programs of a build share; leaving the block ends them all."""
    started_at = time.monotonic()
    with ExitStack() as undo:
        yield Warden(
            folder=folder, user_namespace=undo.enter_context(sealed_user_namespace()),
            devices=undo.enter_context(devices(folder / "dev")),
            group=undo.enter_context(limited(
                group, processes=limits.processes, memory=memory, processors=limits.processors)),
            limits=limits, started_at=started_at, log=log, what=what,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Buildroot:
    """A mounted tree; made by `buildroot`."""

    root: Path
    warden: Warden
    gauge: Gauge | None = None  # of what root in it writes; None: only the space of the host counts

    def run(  # noqa: PLR0913 - who, where and what is seen, each by its name
        self,
        args: Sequence[str],
        *,
        user: int = 0,
        folder: str = "/",
        environment: Mapping[str, str] | None = None,
        read_only: Mapping[str, Path] | None = None,
        writable: Mapping[str, Path] | None = None,
        scratch: Sequence[str] = (),
        capture: bool = False,
        network: bool = False,
    ) -> Completed:
        """Run one program in it to its end, within what is left of the limits; nothing of it lives on.

        `network` gives it the host's, with what listens on its loopback.

        Raises: CommandFailed, TimedOut, Canceled as `run` does.
        """
        warden = self.warden
        require_space(warden.folder, reserve=_reserve(user))
        shown = {**(read_only or {}), **(_resolver() if network else {})}
        with filter_file(building=user != 0) as filter_fd:
            jail = self._jail(filter_fd, user, folder, environment, read_only=shown, writable=writable,
                              scratch=scratch, network=network)  # fmt: skip
            try:
                done = run(jailed(jail, args), log=None if capture else warden.log, capture=capture,
                           time_limit=warden.remaining(), idle_limit=warden.limits.idle_limit, tick_seconds=0.5,
                           tick=self._watched(user),
                           pass_fds=[warden.user_namespace, filter_fd], before=warden.group.enter)  # fmt: skip
            except TimedOut as error:
                raise warden.out_of_time(error) from error
        require_space(warden.folder, reserve=LAST_RESERVE)  # what could not be written may have been lost unnoticed
        return done

    def _watched(self, user: int) -> Callable[[], object]:
        """What to look at while a program runs: who builds is held by the size of a file system, where there is one."""
        if self.gauge and (not user or self.gauge.limit):
            return self.gauge
        return partial(require_space, self.warden.folder, reserve=_reserve(user))

    def attached(self, args: Sequence[str], *, user: int, folder: str, environment: Mapping[str, str],
                 network: bool) -> int:  # fmt: skip
        """Run one program with our own standard streams; its exit status. A person may talk to it."""
        warden = self.warden
        shown = _resolver() if network else {}
        with filter_file(building=user != 0) as filter_fd:
            jail = self._jail(filter_fd, user, folder, environment, read_only=shown, network=network)
            attachment = Attachment(devices=warden.devices, user=user, pass_fds=[warden.user_namespace, filter_fd],
                                    before=warden.group.enter, remaining=warden.remaining)  # fmt: skip
            return attached(jailed(jail, with_terminal(args)), attachment)

    def _jail(
        self,
        filter_fd: int,
        user: int,
        folder: str,
        environment: Mapping[str, str] | None,
        *,
        read_only: Mapping[str, Path] | None,
        writable: Mapping[str, Path] | None = None,
        scratch: Sequence[str] = (),
        network: bool = False,
    ) -> Jail:
        warden = self.warden
        require_places(self.root, ("/dev", "/proc", "/run", *(read_only or {}), *scratch))
        return Jail(
            root=self.root, user_namespace=warden.user_namespace, filter=filter_fd, devices=warden.devices,
            user=user, folder=folder, environment=environment or {}, read_only=read_only or {}, scratch=scratch,
            writable=writable or {},
            resource_limits=warden.group.resource_limits(), files_in_memory=warden.group.memory // 2, network=network,
        )  # fmt: skip


def _resolver() -> dict[str, Path]:
    """How names are found with the host's network."""
    return {os.fspath(RESOLVER): RESOLVER.resolve()} if RESOLVER.exists() else {}


def _reserve(user: int) -> int:
    """The bytes of the host's disk that a program of this user leaves free; root is who installs packages."""
    return LAST_RESERVE if user else RESERVE


@contextmanager
def buildroot(
    layers: Sequence[Layer], warden: Warden, *, at: Path, upper: Path, limit: int | None = None
) -> Iterator[Buildroot]:
    """Stack `layers` (topmost first), changes going to `upper`; leaving the block unmounts.

    `limit` is how many bytes root in it may write, where `upper` has no size of its own.
    """
    with overlay(layers, at, upper=upper) as root:
        yield Buildroot(root=root, warden=warden,
                        gauge=Gauge(folder=upper, root=root, group=warden.group, limit=limit))  # fmt: skip
