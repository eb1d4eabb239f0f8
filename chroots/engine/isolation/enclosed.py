"""This very process enclosed in a tree: for code of ours that reads what it should not trust, without a program there.

What it may do afterwards is to the files of that tree alone. There is no way back, so it is meant for a forked child.
"""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

from chroots.engine.isolation.seccomp import program
from debatomic.tools.errors import InfrastructureError

LIBC = ctypes.CDLL(None, use_errno=True)  # loaded before any fork
NEW_USER, NEW_UTS, NEW_IPC, NEW_PID, NEW_NET = 0x10000000, 0x04000000, 0x08000000, 0x20000000, 0x40000000  # CLONE_…
DEATH_SIGNAL, SECCOMP, NO_NEW_PRIVILEGES, FILTER = 1, 22, 38, 2  # PR_SET_… of prctl(2), SECCOMP_MODE_FILTER
CAPABILITIES = (0, 1, 3, 4, 31)  # CAP_CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SETFCAP: owners, modes and attributes
CAPABILITY_VERSION = 0x20080522
INSTRUCTION = 8  # bytes


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def leave_processes_of_others() -> None:
    """Children of this process are alone: they see no process, network or shared memory of the host."""
    _require(LIBC.unshare(NEW_UTS | NEW_IPC | NEW_PID | NEW_NET))


def enclose(root: Path, user_namespace: int) -> None:
    """Make `root` the root folder, and keep no right but over its files; see `userns` for the namespace."""
    os.chroot(root)
    os.chdir("/")
    _require(LIBC.setns(user_namespace, NEW_USER))
    os.close(user_namespace)
    _keep_capabilities()
    _require(LIBC.prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0))
    _filter_calls(program(building=True))


def close_all_but(kept: set[int]) -> None:
    """A folder that stays open is a way out of every root."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - plain numbers
        if int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                pass  # the one that listed them


def _keep_capabilities() -> None:
    """Of those in the user namespace; what rules a machine is not among them, nor is going to another root."""
    mask = sum(1 << number for number in CAPABILITIES)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    data = (ctypes.c_uint32 * 6)(mask, mask, 0, 0, 0, 0)  # effective, permitted, inheritable; then those from 32 on
    _require(LIBC.capset(header, data))


def _filter_calls(instructions: bytes) -> None:
    _require(LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    filtered = _Program(len(instructions) // INSTRUCTION, instructions)
    _require(LIBC.prctl(SECCOMP, FILTER, ctypes.byref(filtered), 0, 0))


def _require(result: int) -> None:
    if result != 0:
        why = os.strerror(ctypes.get_errno())
        raise InfrastructureError(f"A process could not be enclosed in a tree: {why}.",
                                  hint="python -m chroots.engine doctor says what this host lacks.")  # fmt: skip
