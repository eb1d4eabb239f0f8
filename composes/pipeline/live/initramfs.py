"""What the initramfs of the system lacks to start from a medium: a second one, which the boot loader adds to it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from composes.pipeline.live import cpio
from composes.pipeline.live.cpio import Member

HERE = Path(__file__).parent
OWN = "usr/lib/debatomic"
UNITS = "etc/systemd/system"
MEDIUM_UNIT = f"""\
[Unit]
Description=Medium that this system is started from
DefaultDependencies=no
Requires=initrd-root-device.target
After=initrd-root-device.target
Before=sysroot.mount
OnFailure=emergency.target
OnFailureJobMode=replace-irreversibly
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /{OWN}/start.sh
TimeoutStartSec=infinity
"""
SYSROOT_UNIT = """\
[Unit]
Description=System of the medium, with a layer in memory
DefaultDependencies=no
Requires=debatomic-medium.service
After=debatomic-medium.service
Before=initrd-root-fs.target
[Mount]
What=overlay
Where=/sysroot
Type=overlay
Options=lowerdir=/run/debatomic/lower,upperdir=/run/debatomic/memory/upper,workdir=/run/debatomic/memory/work
"""


def archive(chroot: bytes, settings: Mapping[str, Any]) -> bytes:
    """The archive; `chroot` is the system's own program, `settings` are what start.sh finds as shell variables."""
    return cpio.archive(_members(chroot, settings))


def _members(chroot: bytes, settings: Mapping[str, Any]) -> Iterator[Member]:
    yield cpio.program(f"{OWN}/chroot", chroot)
    text = "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in settings.items())
    yield Member(name=f"{OWN}/live.conf", content=text.encode())
    yield Member(name=f"{OWN}/start.sh", content=(HERE / "start.sh").read_bytes())
    yield cpio.program(f"{OWN}/install", (HERE / "install").read_bytes())
    yield Member(name=f"{UNITS}/debatomic-medium.service", content=MEDIUM_UNIT.encode())
    yield Member(name=f"{UNITS}/sysroot.mount", content=SYSROOT_UNIT.encode())
    yield cpio.link(f"{UNITS}/initrd-root-fs.target.requires/sysroot.mount", "../sysroot.mount")
