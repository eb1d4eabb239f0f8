"""One program of a compose, run to its end: what it says of a full disk is understood."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from debatomic.tools.errors import CommandFailed, Kind, ToolError
from debatomic.tools.run import Completed, run

DISK_FULL = re.compile(r"No space left on device|disk full|write error.*space", re.IGNORECASE)


def checked(command: Sequence[str], shown: Sequence[str] = (), **options: Any) -> Completed:
    """`run`, and a full disk told as such; `chroot ROOT` in front of a program is not worth mentioning, nor is what
    else is not in `shown`.

    In a chroot the temporary folder is its own: the caller's is not there.
    """
    own = {"TMPDIR": "/tmp"} if command[0] == "chroot" else {}  # noqa: S108 - the chroot's
    try:
        return run(command, **{**options, "env": {**own, **(options.get("env") or {})}})
    except CommandFailed as error:
        shown = shown or (command[2:] if command[0] == "chroot" else command)
        if DISK_FULL.search(error.tail):
            raise ToolError(f"The disk is full: {shown[0]} could not write.", kind=Kind.DISK,
                            hint="Free some space or use another --state.", lines=error.lines) from error  # fmt: skip
        raise CommandFailed(shown, error.returncode, tail=error.tail) from error
