"""A buildroot of a plugin's own: what a build made is looked at with the suite's tools, in a jail like the build's."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from chroots.engine.isolation import inside
from chroots.engine.layers.base import Layer
from chroots.engine.layers.buildroot import Buildroot, Warden, buildroot
from chroots.engine.layers.overlay import limited_space
from chroots.engine.layers.tools import tool_layers
from chroots.engine.plugins.plugin import Context
from chroots.engine.spec import BUILDER_UID
from debatomic.tools.errors import CommandFailed

RESULTS = "/run/results"  # where the tools see what the build made
SPACE = 4 << 30  # bytes they may write
ROOMY = "/tmp"  # noqa: S108 - in the jail
SAID = "tmp/debatomic-said"
SAID_LIMIT = 8 << 20  # bytes of it that are taken


@contextmanager
def room(context: Context, packages: Sequence[str]) -> Iterator[Buildroot]:
    """A fresh buildroot over the build's base with these packages installed."""
    assert context.base and context.warden
    folder = context.work / f"room-{packages[0]}"
    folder.mkdir()
    layers = tool_layers(packages, context.base, context.spec.chroot, context.state, context.warden, folder)
    with over([*layers, context.base], context.warden, folder) as root:
        yield root


@contextmanager
def over(layers: Sequence[Layer], warden: Warden, folder: Path) -> Iterator[Buildroot]:
    """A fresh buildroot over these layers, with a few GiB of its own below `folder`."""
    with limited_space(folder, SPACE, warden.group.memory, warden.log) as space:
        with buildroot(layers, warden, at=folder / "root", upper=space) as root:
            yield root


def said(
    root: Buildroot,
    args: Sequence[str],
    *,
    read_only: Mapping[str, Path] | None = None,
    scratch: Sequence[str] = (),
    user: int = BUILDER_UID,
) -> tuple[int, str]:
    """Run a program as the user that builds, or another; its exit status, and the first 8 MiB of what it said."""
    written = ["sh", "-c", 'exec > "/$0" 2>&1; exec "$@"', SAID, *args]
    status = 0
    try:
        root.run(written, user=user, folder=ROOMY, read_only=read_only, scratch=scratch, environment={"HOME": ROOMY})
    except CommandFailed as error:
        status = error.returncode
    with inside.opened(root.root, SAID, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK) as fd:
        with os.fdopen(os.dup(fd), "rb") as file:
            return status, file.read(SAID_LIMIT).decode(errors="replace")
