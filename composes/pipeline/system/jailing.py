"""Programs of a tree made from packages that nobody of ours wrote, and programs that read such a tree: in the engine's
jail, with nothing of the host.

A program in it is root over the files of the tree alone: in a user namespace of its own, without network, without the
capabilities that rule a machine, behind the filter for system calls that installing packages has in a buildroot.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chroots.engine.isolation.devices import devices
from chroots.engine.isolation.jail import Jail, jailed
from chroots.engine.isolation.seccomp import filter_file
from chroots.engine.isolation.userns import sealed_user_namespace
from chroots.engine.layers.sealing import require_places
from composes.pipeline.programs import checked
from debatomic.tools.limits import Group, limited
from debatomic.tools.run import Completed

PROCESSES = 8192
MEMORY_SHARE = 0.9  # of the host's
FILES_IN_MEMORY = 1 << 30  # bytes each of its small file systems may hold


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A tree whose programs can be run; made by `cell`. What is `shown` (path inside, folder outside) cannot be
    changed, what is `lent` can."""

    root: Path
    user_namespace: int
    devices: Path | None
    group: Group
    shown: Mapping[str, Path] = field(default_factory=dict)
    lent: Mapping[str, Path] = field(default_factory=dict)
    inner_roots: Sequence[str] = ()
    scratch: Sequence[str] = ()  # folders that are empty in it
    network: bool = False

    def run(
        self, args: Sequence[str], *, env: Mapping[str, str] | None = None, pass_fds: Sequence[int] = (), **options: Any
    ) -> Completed:  # fmt: skip
        """Run a program of the tree to its end; nothing of it lives on. Options are those of `debatomic.tools.run`.

        Raises CommandFailed.
        """
        require_places(self.root, ("/dev", "/proc", "/run", *self.shown, *self.lent))
        with filter_file(building=False) as filter_fd:
            jail = Jail(root=self.root, user_namespace=self.user_namespace, filter=filter_fd, devices=self.devices,
                        environment={"TMPDIR": "/tmp", **(env or {})}, read_only=self.shown,  # noqa: S108 - the tree's
                        writable=self.lent, inner_roots=self.inner_roots, files_in_memory=FILES_IN_MEMORY,
                        scratch=self.scratch, network=self.network,
                        resource_limits=self.group.resource_limits())  # fmt: skip
            return checked(jailed(jail, args), shown=args, before=self.group.enter,
                           pass_fds=[*pass_fds, self.user_namespace, filter_fd], **options)  # fmt: skip


@contextmanager
def cell(
    root: Path, work: Path, *, shown: Mapping[str, Path] | None = None, lent: Mapping[str, Path] | None = None,
    inner_roots: Sequence[str] = (), scratch: Sequence[str] = (), network: bool = False,
) -> Iterator[Cell]:  # fmt: skip
    """A cell over `root`, which its programs may write into; `work` gets a folder for its devices meanwhile."""
    memory = int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * MEMORY_SHARE)
    with ExitStack() as undo:
        place = work / "jail-dev"
        undo.callback(place.rmdir)
        yield Cell(
            root=root, user_namespace=undo.enter_context(sealed_user_namespace()),
            devices=undo.enter_context(devices(place)),
            group=undo.enter_context(limited(f"debatomic-{work.name.strip('.')}", processes=PROCESSES, memory=memory)),
            shown=shown or {}, lent=lent or {}, inner_roots=inner_roots, scratch=scratch,
            network=network,
        )  # fmt: skip
