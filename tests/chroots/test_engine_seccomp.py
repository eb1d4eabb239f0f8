"""The filter of system calls: what it answers on each architecture, and that the kernel takes it."""

from __future__ import annotations

import ctypes
import errno
import os
import struct

import pytest

from chroots.engine.isolation.seccomp import AARCH64, ALLOW, DENY, I386, KILL, X86_64, program

REFUSED = DENY | errno.EPERM
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
AF_UNIX, AF_VSOCK, AF_ALG = 1, 40, 38


def answer(architecture: int, number: int, first: int = 0, second: int = 0, *, building: bool = True) -> int:
    """What the filter says to a system call: the instructions as the kernel would run them."""
    call = struct.pack("<IIQQQ", number, architecture, 0, first, second)
    at, held = 0, 0
    instructions = list(struct.iter_unpack("=HBBI", program(building=building)))
    while True:
        code, if_true, if_false, operand = instructions[at]
        at += 1
        if code == 0x20:
            held = struct.unpack_from("<I", call, operand)[0]
        elif code == 0x15:
            at += if_true if held == operand else if_false
        elif code == 0x35:
            at += if_true if held >= operand else if_false
        else:
            assert code == 0x06
            return int(operand)


# Numbers from the kernel's own tables: x86_64, i386, aarch64.
@pytest.mark.parametrize("name, numbers, building, installing", [
    ("openat", (257, 295, 56), ALLOW, ALLOW),
    ("execve", (59, 11, 221), ALLOW, ALLOW),
    ("ptrace", (101, 26, 117), ALLOW, ALLOW),
    ("personality", (135, 136, 92), ALLOW, ALLOW),
    ("bpf", (321, 357, 280), REFUSED, REFUSED),
    ("io_uring_setup", (425, 425, 425), REFUSED, REFUSED),
    ("keyctl", (250, 288, 219), REFUSED, REFUSED),
    ("kexec_load", (246, 283, 104), REFUSED, REFUSED),
    ("syslog", (103, 103, 116), REFUSED, REFUSED),
    ("userfaultfd", (323, 374, 282), REFUSED, REFUSED),
    ("mount", (165, 21, 40), REFUSED, ALLOW),
    ("a call a tracer skips", (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF), ALLOW, ALLOW),
])  # fmt: skip
def test_a_call_is_answered_alike_on_every_architecture(
    name: str, numbers: tuple[int, int, int], building: int, installing: int
) -> None:
    for architecture, number in zip((X86_64, I386, AARCH64), numbers, strict=True):
        assert answer(architecture, number) == building
        assert answer(architecture, number, building=False) == installing


@pytest.mark.parametrize("architecture, number", [(X86_64, 41), (I386, 359), (AARCH64, 198)])
def test_only_sockets_a_network_namespace_divides_can_be_had(architecture: int, number: int) -> None:
    assert [answer(architecture, number, family) for family in (1, 2, 10, 16, 17)] == [ALLOW] * 5
    assert {answer(architecture, number, family) for family in (AF_VSOCK, AF_ALG)} == {DENY | errno.EAFNOSUPPORT}


@pytest.mark.parametrize("architecture, number", [(X86_64, 16), (I386, 54), (AARCH64, 29)])
def test_nobody_types_on_a_terminal(architecture: int, number: int) -> None:
    assert answer(architecture, number, 0, 0x5412) == REFUSED
    assert answer(architecture, number, 0, 0x5401) == ALLOW  # reading a terminal's settings


def test_other_architectures_are_ended_and_ways_around_are_closed() -> None:
    assert answer(0x40000028, 4) == KILL  # 32-bit ARM
    assert answer(X86_64, 0x40000000 + 321) == REFUSED  # x32
    assert answer(I386, 102, 1) == REFUSED  # socketcall hides the family


class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def filtered_errors() -> dict[str, int]:
    """In a process of its own, filtered: the error number of some calls."""
    libc = ctypes.CDLL(None, use_errno=True)
    code = program(building=True)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        applied = libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(Program(len(code) // 8, code)))
        errors = [applied]
        for call in (lambda: libc.socket(AF_VSOCK, 1, 0), lambda: libc.socket(AF_UNIX, 1, 0),
                     lambda: libc.mount(b"none", b"/", b"tmpfs", 0, None), lambda: libc.klogctl(10, None, 0),
                     lambda: os.getpid() - 1):  # fmt: skip
            errors.append(ctypes.get_errno() if call() == -1 else 0)
        os.write(writing, struct.pack("6i", *errors))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        told = file.read()
    os.waitpid(child, 0)
    return dict(zip(("filter", "vsock", "unix", "mount", "syslog", "getpid"), struct.unpack("6i", told), strict=True))


def test_the_kernel_takes_it() -> None:
    assert filtered_errors() == {"filter": 0, "vsock": errno.EAFNOSUPPORT, "unix": 0, "mount": errno.EPERM,
                                 "syslog": errno.EPERM, "getpid": 0}  # fmt: skip
