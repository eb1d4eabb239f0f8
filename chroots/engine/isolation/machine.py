"""What this host's processor is called."""

from __future__ import annotations

import platform

# Debian's name of an architecture, by the kernel's name of the machine.
MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armhf", "ppc64le": "ppc64el", "riscv64": "riscv64",
            "s390x": "s390x", "i686": "i386"}  # fmt: skip
RUN_TOO = {"amd64": ("i386",), "arm64": ("armhf",)}  # as fast, by the same processor


def own_architecture(machine: str = "") -> str:
    """This host's, by Debian's name."""
    machine = machine or platform.machine()
    return MACHINES.get(machine, machine)


def is_emulated(architecture: str, machine: str = "") -> bool:
    """Whether programs of an architecture run only by an emulator here, some twenty times slower."""
    own = own_architecture(machine)
    return architecture not in (own, *RUN_TOO.get(own, ()))
