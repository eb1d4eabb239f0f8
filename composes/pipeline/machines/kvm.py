"""Whether this host can really run a virtual machine with KVM: tried, not guessed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from composes.pipeline.tools import Tools
from debatomic.tools.errors import ToolError

PROBE_SECONDS = 25.0
SIGN = "Kernel panic - not syncing: VFS"


def accelerator(tools: Tools, tree: Path, folder: Path, say: Callable[[str], object]) -> str:
    """`kvm` or `tcg`. A /dev/kvm that opens may fail: UEFI and the tree's own kernel must come to their end in it.

    Without a root file system that end is a panic, which is what the probe waits for.
    """
    if not _opens(Path("/dev/kvm")):
        return "tcg"
    serial, firmware = folder / "kvm-probe.log", folder / "kvm-probe.fd"
    kernel = next((tree / "usr/lib/modules").glob("*/vmlinuz"))
    shutil.copyfile(tools.root / "usr/share/OVMF/OVMF_VARS_4M.fd", firmware)
    command = [
        "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-machine", "q35", "-accel", "kvm", "-cpu", "host",
        "-m", "512", "-display", "none", "-no-reboot", "-serial", f"file:{serial}", "-kernel", os.fspath(kernel),
        "-append", "console=ttyS0 panic=-1",
        "-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd",
        "-drive", f"if=pflash,format=raw,file={firmware}",
    ]  # fmt: skip
    with suppress(ToolError):  # too slow is as good as not at all
        tools.run(command, log=None, time_limit=PROBE_SECONDS, check=False, jailed=False)
    worked = serial.exists() and SIGN in serial.read_text(errors="replace")
    for path in (serial, firmware):
        path.unlink(missing_ok=True)
    say("KVM works here." if worked else "KVM is there but does not work; machines are emulated, which is slow.")
    return "kvm" if worked else "tcg"


def _opens(device: Path) -> bool:
    try:
        os.close(os.open(device, os.O_RDWR))
    except OSError:
        return False
    return True
