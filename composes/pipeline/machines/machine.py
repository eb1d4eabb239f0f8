"""A virtual machine that boots a disk as its own firmware would, watched from outside.

What it must prove is handed in as a systemd credential in the SMBIOS tables (type 11): the image stays as it is.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from composes.pipeline.machines.proof import BEGIN, CREDENTIALS, END
from debatomic.tools.errors import TimedOut, ToolError

DATA_SERIAL = "debatomic-data"
GATE_ADDRESS = "10.0.2.100"  # port 80 of it leads to what the gate serves, nothing else is in the machine's network
EMULATED_CPU = "Haswell-noTSX,-pcid,-invpcid,-tsc-deadline"  # what TCG has; kernels of trixie crash on its "max"
ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|[()][A-Za-z0-9]|[=>c78MDEH])|\r|\x00")
# What is seen on the serial console on the way, with how far that is.
MILESTONES: tuple[tuple[str, re.Pattern[str], float], ...] = (
    ("boot loader", re.compile(r"GRUB|Booting `|SeaBIOS|UEFI|BdsDxe"), 0.05),
    ("kernel", re.compile(r"Linux version "), 0.15),
    ("initramfs", re.compile(r"Running in initrd|dracut-"), 0.3),
    ("system", re.compile(r"Switching root|initrd-switch-root"), 0.5),
    ("multi-user.target", re.compile(r"Reached target .*multi-user\.target"), 0.85),
    ("proof", re.compile(re.escape(BEGIN)), 0.9),
)
FATAL = re.compile(
    r"Kernel panic[^\n]*|[^\n]*emergency mode[^\n]*|[^\n]*Entering emergency[^\n]*|[^\n]*dracut-emergency[^\n]*|"
    r"KVM internal error[^\n]*|No bootable device[^\n]*|error: no such device[^\n]*|grub rescue>|"
    r"error: [^\n]*(?:invalid magic number|premature end of file|you need to load the kernel first)[^\n]*"
)


@dataclass(frozen=True, kw_only=True)
class MachineSpec:
    """`folder` is the machine's own: it gets the serial log and the console's picture."""

    disk: Path | None
    disk_format: str
    firmware: str  # bios or uefi
    accelerator: str  # kvm or tcg
    memory: int  # MiB
    folder: Path
    credentials: Mapping[str, str] = field(default_factory=lambda: CREDENTIALS)
    data: Path | None = None  # a file the machine may read as a disk with the serial number DATA_SERIAL
    seed: Path | None = None  # a disk that cloud-init reads
    relay: str = ""  # the command that carries each connection to GATE_ADDRESS; empty: there is none
    medium: Path | None = None  # a CD, which is started before the disk
    writes: bool = False  # what it writes to the disk stays there
    reboots: bool = False  # a reset starts it again; otherwise it ends there

    @property
    def serial(self) -> Path:
        return self.folder / "serial.log"

    @property
    def screenshot(self) -> Path:
        return self.folder / "console.png"


def qemu_command(spec: MachineSpec, monitor_fd: int) -> list[str]:
    """A disk that is not to keep what is written has snapshot=on: the machine writes to a temporary file."""
    cpu = "host" if spec.accelerator == "kvm" else EMULATED_CPU
    threads = ",thread=multi" if spec.accelerator == "tcg" else ""
    return [
        "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-machine", "q35",
        "-accel", f"{spec.accelerator}{threads}", "-cpu", cpu, "-m", str(spec.memory), "-smp", "2",
        *([] if spec.reboots else ["-no-reboot"]), *_firmware(spec),
        *_medium(spec), *_disk(spec), *_data(spec), *_seed(spec),
        "-nic", f"user,model=virtio-net-pci,restrict=on{_relayed(spec)}",
        "-vga", "std", "-display", "none",
        "-device", "virtio-rng-pci", "-serial", f"file:{spec.serial}",
        "-chardev", f"socket,id=monitor,fd={monitor_fd}", "-mon", "chardev=monitor,mode=control",
        *(part for name, text in spec.credentials.items() for part in ("-smbios", _credential(spec, name, text))),
    ]  # fmt: skip


def _firmware(spec: MachineSpec) -> list[str]:
    if spec.firmware == "bios":
        return []
    return ["-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd",
            "-drive", f"if=pflash,format=raw,file={spec.folder / 'vars.fd'}"]  # fmt: skip


def _medium(spec: MachineSpec) -> list[str]:
    if not spec.medium:
        return []
    return ["-drive", f"file={spec.medium},format=raw,if=none,id=medium,media=cdrom,readonly=on",
            "-device", "ide-cd,drive=medium,bootindex=0"]  # fmt: skip


def _disk(spec: MachineSpec) -> list[str]:
    if not spec.disk:
        return []
    kept = "discard=unmap,detect-zeroes=unmap" if spec.writes else "snapshot=on"
    return ["-drive", f"file={spec.disk},format={spec.disk_format},if=none,id=disk,{kept},cache=unsafe",
            "-device", f"virtio-blk-pci,drive=disk,bootindex={1 if spec.medium else 0}"]  # fmt: skip


def _data(spec: MachineSpec) -> list[str]:
    if not spec.data:
        return []
    return ["-drive", f"file={spec.data},format=raw,if=none,id=data,readonly=on",
            "-device", f"virtio-blk-pci,drive=data,serial={DATA_SERIAL}"]  # fmt: skip


def _seed(spec: MachineSpec) -> list[str]:
    if not spec.seed:
        return []
    return ["-drive", f"file={spec.seed},format=raw,if=none,id=seed,readonly=on",
            "-device", "virtio-blk-pci,drive=seed"]  # fmt: skip


def _relayed(spec: MachineSpec) -> str:
    """An option's value doubles its commas."""
    return f",guestfwd=tcp:{GATE_ADDRESS}:80-cmd:{spec.relay.replace(',', ',,')}" if spec.relay else ""


def _credential(spec: MachineSpec, name: str, text: str) -> str:
    """By file, because an option's value may not be long; the machine reads it from its SMBIOS tables."""
    path = spec.folder / f"{name}.credential"
    content = base64.b64encode(text.encode()).decode()
    path.write_text(f"io.systemd.credential.binary:{name}={content}")
    return f"type=11,path={path}"


class Monitor:
    """QEMU's machine protocol over a socket that was there before QEMU."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.ours.settimeout(10)
        self._ready = False

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.ours.close()
        self.theirs.close()

    def ask(self, command: str, **arguments: Any) -> Any:
        """The answer to a command. Raises OSError if QEMU does not answer."""
        if not self._ready:
            self._ready = True
            self.ask("qmp_capabilities")
        self.ours.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = json.loads(self._line())
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise OSError(answer["error"].get("desc", command))

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            if not (byte := self.ours.recv(1)):
                raise OSError("QEMU closed its monitor")
            line += byte
        return line


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What a machine is to come to: the signs on its way, the last one, and those that it cannot any more."""

    name: str = "reach multi-user.target"
    milestones: tuple[tuple[str, re.Pattern[str], float], ...] = MILESTONES
    end: str = END
    fatal: re.Pattern[str] = FATAL
    refused: str = "The image does not boot"


@dataclass(kw_only=True)
class Watcher:
    """Reads the serial console as it grows, and knows how far the machine is."""

    spec: MachineSpec
    monitor: Monitor
    timeout: float  # seconds
    reached: Callable[[str, float, float], object]  # milestone, how far (0 to 1), seconds
    goal: Goal = field(default_factory=Goal)
    started: float = field(default_factory=time.monotonic)
    seen: dict[str, float] = field(default_factory=dict)
    text: str = ""
    pictured: bool = False

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def look(self) -> None:
        """Called again and again while the machine runs. Raises ToolError when it can only fail."""
        self.read()
        if self.seconds > self.timeout:
            self.picture()
            last = next(reversed(self.seen), "nothing")
            raise TimedOut(
                f"The image did not {self.goal.name} in {self.timeout:g} s ({self.spec.firmware}); "
                f"the last thing seen was: {last}.", lines=last_lines(self.text),
            )  # fmt: skip

    def read(self) -> None:
        """What the console says by now: also once more at the end, for the last words. Raises as `look` does."""
        self.text = console_text(self.spec.serial)
        for name, pattern, fraction in self.goal.milestones:
            if name not in self.seen and pattern.search(self.text):
                self.seen[name] = round(self.seconds, 1)
                self.reached(name, fraction, self.seen[name])
        if self.goal.end in self.text:
            self.picture()
        elif found := self.goal.fatal.search(self.text):
            self.picture()
            raise ToolError(f"{self.goal.refused} ({self.spec.firmware}): {found[0].strip().rstrip('.')}.",
                            lines=last_lines(self.text))  # fmt: skip

    def picture(self) -> None:
        """Keep what the console shows, once; a missing picture is no reason to fail."""
        if not self.pictured:
            self.pictured = True
            try:
                self.monitor.ask("screendump", filename=str(self.spec.screenshot), format="png")
            except (OSError, ValueError) as error:
                self.reached(f"no picture: {error}", 0.9, self.seconds)


def console_text(path: Path) -> str:
    """A serial log without its terminal sequences."""
    try:
        return ESCAPES.sub("", path.read_bytes().decode(errors="replace"))
    except FileNotFoundError:
        return ""


def last_lines(text: str, count: int = 20) -> list[str]:
    return [line for line in text.splitlines() if line.strip()][-count:]
