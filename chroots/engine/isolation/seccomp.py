"""Which system calls no program in a buildroot may make: a filter the kernel runs, as bubblewrap takes it.

It closes what namespaces and missing capabilities leave open: parts of the kernel that anybody may talk to and that
are not divided by namespaces (BPF, io_uring, keyrings, userfaultfd, performance events, virtual machine sockets), and
once more what only the host's root may do. A denied call fails with EPERM, as if the kernel had been built without.
ptrace and personality stay: test suites use them, and a PID namespace bounds what they reach.

32-bit x86 programs run on amd64, as multilib packages test them there; their `socketcall` is denied because a filter
cannot see which family it asks for, so they have no sockets. The x32 calls are denied, any other architecture is ended.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

X86_64, I386, AARCH64 = 0xC000003E, 0x40000003, 0xC00000B7  # AUDIT_ARCH_*, linux/audit.h
X32 = 0x40000000  # set in the number of an x32 call
SKIPPED = 0xFFFFFFFF  # what a tracer makes of a call that is not to happen
# name: its number on x86_64, i386 and aarch64; None where there is no such call
Calls = dict[str, tuple[int | None, int | None, int | None]]
KERNEL: Calls = {
    "kexec_load": (246, 283, 104), "kexec_file_load": (320, None, 294), "reboot": (169, 88, 142),
    "init_module": (175, 128, 105), "finit_module": (313, 350, 273), "delete_module": (176, 129, 106),
    "create_module": (174, 127, None), "bpf": (321, 357, 280), "perf_event_open": (298, 336, 241),
    "userfaultfd": (323, 374, 282), "open_by_handle_at": (304, 342, 265), "syslog": (103, 103, 116),
    "keyctl": (250, 288, 219), "add_key": (248, 286, 217), "request_key": (249, 287, 218),
    "io_uring_setup": (425, 425, 425), "io_uring_enter": (426, 426, 426), "io_uring_register": (427, 427, 427),
    "swapon": (167, 87, 224), "swapoff": (168, 115, 225), "acct": (163, 51, 89), "quotactl": (179, 131, 60),
    "settimeofday": (164, 79, 170), "clock_settime": (227, 264, 112), "clock_settime64": (None, 404, None),
    "stime": (None, 25, None), "iopl": (172, 110, None), "ioperm": (173, 101, None), "socketcall": (None, 102, None),
    "fanotify_init": (300, 338, 262), "lookup_dcookie": (212, 253, 18), "nfsservctl": (180, 169, 42),
}  # fmt: skip
# Installing packages may try these (and is refused by the kernel); a build has no use for them at all.
MOUNTS: Calls = {
    "mount": (165, 21, 40), "umount": (None, 22, None), "umount2": (166, 52, 39), "pivot_root": (155, 217, 41),
    "open_tree": (428, 428, 428), "move_mount": (429, 429, 429), "fsopen": (430, 430, 430),
    "fsconfig": (431, 431, 431), "fsmount": (432, 432, 432), "fspick": (433, 433, 433),
    "mount_setattr": (442, 442, 442), "setns": (308, 346, 268), "chroot": (161, 61, 51),
}  # fmt: skip
SOCKET, IOCTL = (41, 359, 198), (16, 54, 29)
FAMILIES = (1, 2, 10, 16, 17)  # AF_UNIX, INET, INET6, NETLINK, PACKET: those a network namespace divides
TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: typing on a terminal that is not one's own

# The instructions of classic BPF that are needed, linux/bpf_common.h and linux/seccomp.h.
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER, ARCHITECTURE, FIRST_ARGUMENT, SECOND_ARGUMENT = 0, 4, 16, 24  # where seccomp_data has them (little endian)
KILL, DENY, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
Instruction = tuple[int, int, int, int]  # code, instructions to skip if true, if false, operand
Block = list[Instruction]


def program(*, building: bool) -> bytes:
    """The filter for building, or for installing packages, in the kernel's form."""
    calls = [*KERNEL.values(), *(MOUNTS.values() if building else ())]
    blocks: Block = [(LOAD, 0, 0, ARCHITECTURE)]
    for column, architecture in enumerate((X86_64, I386, AARCH64)):
        block = _architecture([call[column] for call in calls], SOCKET[column], IOCTL[column])
        blocks += [(EQUAL, 0, len(block), architecture), *block]
    blocks += _answer(KILL)
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in blocks)


def _architecture(denied: Iterable[int | None], socket: int, ioctl: int) -> Block:
    """What is asked once the architecture is known; it always ends in an answer."""
    block: Block = [(LOAD, 0, 0, NUMBER), *_if_equal(SKIPPED, _answer(ALLOW)),
                    (AT_LEAST, 0, 1, X32), *_answer(DENY | errno.EPERM)]  # fmt: skip
    for number in denied:
        if number is not None:
            block += _if_equal(number, _answer(DENY | errno.EPERM))
    block += _if_equal(socket, [(LOAD, 0, 0, FIRST_ARGUMENT), *_one_of(FAMILIES, _answer(ALLOW)),
                                *_answer(DENY | errno.EAFNOSUPPORT)])  # fmt: skip
    block += _if_equal(ioctl, [(LOAD, 0, 0, SECOND_ARGUMENT), *_one_of(TERMINAL_INPUT, _answer(DENY | errno.EPERM)),
                               *_answer(ALLOW)])  # fmt: skip
    return [*block, *_answer(ALLOW)]


def _answer(what: int) -> Block:
    return [(RETURN, 0, 0, what)]


def _if_equal(value: int, then: Block) -> Block:
    return [(EQUAL, 0, len(then), value), *then]


def _one_of(values: Iterable[int], then: Block) -> Block:
    return [instruction for value in values for instruction in _if_equal(value, then)]


@contextmanager
def filter_file(*, building: bool) -> Iterator[int]:
    """A file descriptor that reads the filter; bubblewrap reads it to its end, so each program needs one."""
    fd = os.memfd_create("seccomp")
    try:
        os.write(fd, program(building=building))
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)
