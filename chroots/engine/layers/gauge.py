"""How much is being written to a folder that has no size of its own, as one that becomes a layer has not."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from chroots.engine.layers.overlay import require_space
from chroots.engine.state import directory_size
from debatomic.tools.errors import Kind, ToolError
from debatomic.tools.limits import Group

SHARE = 5  # looking may take one part in so many of the time


@dataclass(kw_only=True)
class Gauge:
    """Called now and then while programs run, it ends what writes more than it may.

    It looks; nothing stops a program between two looks. `root` is where the folder is mounted, for what programs have
    open and unlinked; `limit` is in bytes, None for none but the host's own.
    """

    folder: Path
    root: Path
    group: Group
    limit: int | None
    _next_at: float = field(default=0.0, init=False)

    def __call__(self) -> None:
        """Raises: ToolError of kind DISK."""
        require_space(self.folder)
        started = time.monotonic()
        if self.limit is None or started < self._next_at:
            return
        size = directory_size(self.folder) + unlinked_size(self.group.members(), self.root.stat().st_dev)
        now = time.monotonic()
        self._next_at = now + (now - started) * SHARE
        if size > self.limit:
            told = f"More than the disk limit of {self.limit >> 20} MiB was written, and what did it was ended."
            raise ToolError(told, kind=Kind.DISK, hint="Give the build more with --disk if that is all right.")


def unlinked_size(processes: Iterable[int], device: int) -> int:
    """Bytes of the files on that device which have no name any more, but are open in one of these processes."""
    found: dict[int, int] = {}
    for pid in processes:
        with suppress(OSError):  # it ended
            for name in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208 - a name is enough
                with suppress(OSError):
                    each = os.stat(f"/proc/{pid}/fd/{name}")
                    if stat.S_ISREG(each.st_mode) and each.st_nlink == 0 and each.st_dev == device:
                        found[each.st_ino] = each.st_blocks * 512
    return sum(found.values())
