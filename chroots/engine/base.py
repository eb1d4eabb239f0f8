"""Base layers: a bootstrapped system, made once under a lock, whole or absent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chroots.engine.spec import ChrootSpec
from chroots.engine.state import State
from debatomic.tools.run import Output


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A read-only tree of files: `identity` is the digest of what is in it, `tree` its root folder."""

    identity: str
    tree: Path


def ensure(spec: ChrootSpec, state: State, log: Output, refresh: bool = False) -> Layer:
    """The base layer of `spec`: the stored one if it is current, a new one otherwise or with `refresh`.

    Any number of processes may ask at once; one of them makes it. `log` receives what mmdebstrap says.
    Never write into `tree`: mount it with `overlay.overlay([layer], ...)`.

    Raises: ToolError, its sentence says what to do (no network, unknown suite, mmdebstrap missing, full disk).
    """
    raise NotImplementedError
