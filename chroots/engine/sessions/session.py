"""A buildroot to work in by hand: over a chroot's base, its changes thrown away or kept under a name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chroots.engine.layers import base as bases
from chroots.engine.layers.base import Layer
from chroots.engine.layers.buildroot import Buildroot, buildroot, group_name, warden
from chroots.engine.layers.overlay import limited_space, overlay, total_memory
from chroots.engine.sessions import kept
from chroots.engine.spec import ChrootSpec, Limits
from chroots.engine.state import State, remember, temporary
from debatomic.tools.limits import planned
from debatomic.tools.run import Output

BY_HAND = Limits(time_limit=None, idle_limit=None)


@dataclass(frozen=True, kw_only=True)
class Session:
    """What to work in: the chroot, the kept layer (none: nothing is kept), the limits."""

    chroot: ChrootSpec
    state: State
    log: Output
    keep: str = ""
    make: bool = True  # the kept layer may be begun now
    limits: Limits = field(default_factory=lambda: BY_HAND)


@contextmanager
def working(session: Session) -> Iterator[tuple[Buildroot, Path]]:
    """A buildroot programs can be run in, and a folder for ourselves outside it."""
    with temporary(session.state.work) as work, ExitStack() as undo:
        remember(work, planned(group_name(work)))
        base, upper = undo.enter_context(_stack(session, work))
        keeper = undo.enter_context(warden(work, group_name(work), session.limits, _memory(session), session.log))
        yield undo.enter_context(buildroot([base], keeper, at=work / "root", upper=upper)), work


def _memory(session: Session) -> int:
    return session.limits.memory or total_memory() * 3 // 4


@contextmanager
def looking(session: Session) -> Iterator[tuple[Path, Layer]]:
    """The mounted tree, in which nothing runs, and the base below it."""
    with temporary(session.state.work) as work, ExitStack() as undo:
        base, upper = undo.enter_context(_stack(session, work))
        yield undo.enter_context(overlay([base], work / "root", upper=upper)), base


@contextmanager
def _stack(session: Session, work: Path) -> Iterator[tuple[Layer, Path]]:
    """The base, and where changes go."""
    spec, state = session.chroot, session.state
    if session.keep:
        with kept.opened(spec, session.keep, state, session.log, make=session.make) as layer:
            yield layer.stands_on(state), layer.upper
    else:
        base = bases.ensure(spec, state, session.log)
        with limited_space(work, session.limits.disk, _memory(session), session.log) as space:
            yield base, space
