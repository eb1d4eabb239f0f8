"""Shows a build folders of the host, read-only: those that the host's administrator allows, and no others."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from chroots.engine.plugins.plugin import Context, Plugin
from chroots.engine.state import State
from debatomic.tools.errors import InputError

ALLOWED = "mounts.allowed"  # in the state folder: one folder a line; what is below it is allowed, too
NOT_OVER = ("proc", "sys", "dev", "run", "build", "etc", "usr", "bin", "sbin", "lib", "lib64", "var", "tmp")


class Mounts(Plugin):
    """`folders`: the place inside, by the folder outside."""

    OPTIONS: ClassVar[Mapping[str, Any]] = {"folders": {}}
    required: ClassVar[bool] = True

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        for outside, inside in self.options["folders"].items():
            check_place(str(outside), str(inside))

    def pre_build(self, context: Context) -> None:
        allowed = allowed_folders(context.state)
        for outside, inside in self.options["folders"].items():
            context.read_only[str(inside)] = permitted(Path(str(outside)), allowed)
            context.say(f"{outside} is shown at {inside}, read-only.")


def check_place(outside: str, inside: str) -> None:
    """Raises: InputError unless both are absolute, and the place is none of the system's."""
    parts = PurePosixPath(inside).parts
    if not outside.startswith("/") or parts[:1] != ("/",) or len(parts) < 2 or ".." in parts or parts[1] in NOT_OVER:
        raise InputError(f"{outside} cannot be shown at {inside}: both are whole paths, and the place is none of the "
                         "system's; write for example /srv/sdk: /opt/sdk.")  # fmt: skip


def allowed_folders(state: State) -> list[Path]:
    """What the administrator allows. Raises: InputError where others could have written that."""
    path = state.root / ALLOWED
    try:
        found = path.stat()
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return []
    if found.st_uid not in (0, os.geteuid()) or stat.S_IMODE(found.st_mode) & 0o022:
        raise InputError(f"{path} could have been written by others than root, so it is not believed.",
                         hint=f"chown root {path} && chmod 644 {path}")  # fmt: skip
    return [Path(line.strip()) for line in lines if line.startswith("/")]


def permitted(folder: Path, allowed: list[Path]) -> Path:
    """Where the folder really is. Raises: InputError if that is not allowed, or nowhere."""
    try:
        real = folder.resolve(strict=True)
    except OSError as error:
        raise InputError(f"The folder {folder} to be shown does not exist on this host.") from error
    if not any(real.is_relative_to(each.resolve()) for each in allowed):
        raise InputError(f"This host does not allow builds to see {folder}.",
                         hint=f"Its administrator allows folders in {ALLOWED} of the state folder.")  # fmt: skip
    return real
