"""A function as the first process of PID and mount namespaces of its own, without starting Python anew."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from chroots.engine.isolation.mounts import mount
from debatomic.tools.errors import InfrastructureError

LIBC = ctypes.CDLL(None, use_errno=True)  # loaded before any fork
NEW_NAMESPACES = 0x20000000 | 0x00020000  # CLONE_NEWPID, CLONE_NEWNS
PRIVATE = 0x40000 | 0x4000  # MS_PRIVATE, MS_REC
PROC_FLAGS = 0x2 | 0x4 | 0x8  # MS_NOSUID, MS_NODEV, MS_NOEXEC
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
BY_SIGNAL = 128


def contained_instead(action: Callable[[], int], environment: Mapping[str, str], passed: Sequence[int]
                      ) -> Callable[[], None]:  # fmt: skip
    """For `spawn(before=…)`: `action` takes the place of the program. It dies with us, and everything in it with it.

    It has only `environment`, the streams it was given and the file descriptors `passed`.
    """
    ours = os.getpid()

    def instead() -> None:
        _ending(lambda: _waiting(action, environment, passed, ours))

    return instead


def _ending(act: Callable[[], int]) -> None:
    """Call `act` and end this process: it must never go on with what its parent was about to do."""
    status = 1
    try:
        status = act()
    except BaseException:  # noqa: BLE001 - there is nobody above
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _waiting(action: Callable[[], int], environment: Mapping[str, str], passed: Sequence[int], parent: int) -> int:
    """Make the namespaces and wait for their first process, as util-linux' unshare does."""
    _die_with_parent()
    if os.getppid() != parent:
        return 1
    handlers = {number: signal.signal(number, signal.SIG_DFL) for number in ENDINGS}
    _keep_open({0, 1, 2, *passed})
    os.environ.clear()
    os.environ.update(environment)
    _require(LIBC.unshare(NEW_NAMESPACES))
    alive, until_death = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(until_death)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        _ending(lambda: _first(action, alive))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else BY_SIGNAL - code


def _first(action: Callable[[], int], alive: int) -> int:
    _die_with_parent()
    if select.select([alive], [], [], 0)[0]:  # it died before we could say that
        return 1
    os.close(alive)
    _require(LIBC.mount(b"none", b"/", None, ctypes.c_ulong(PRIVATE), None))
    mount("proc", Path("/proc"), "", PROC_FLAGS)
    return action()


def _die_with_parent() -> None:
    LIBC.prctl(DEATH_SIGNAL, signal.SIGKILL)


def _require(result: int) -> None:
    if result != 0:
        why = os.strerror(ctypes.get_errno())
        raise InfrastructureError(f"This host does not let us make namespaces: {why}.",
                                  hint="python -m chroots.engine doctor says what this host lacks.")  # fmt: skip


def _keep_open(kept: set[int]) -> None:
    """Close every other file descriptor: the one, too, by which our parent learns that its program started."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - plain numbers
        if int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                pass  # the one that listed them
