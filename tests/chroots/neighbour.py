"""A well-behaved build that runs beside hostile ones, and what of the host must stay as it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chroots.conftest import ROOT, write_source

NAME = "debatomic-neighbour"
MARK = "debatomic-hostile"  # in the name of whatever a hostile build starts or writes
PORT = 47115
SECONDS = 60
LISTENS = f"""
use IO::Socket::INET; use IO::Socket::UNIX; $| = 1; $0 = "{NAME}";
my $tcp = IO::Socket::INET->new(LocalAddr => "0.0.0.0", LocalPort => {PORT}, Listen => 5) or die "no TCP: $!";
my $named = IO::Socket::UNIX->new(Local => "\\0{NAME}", Listen => 5) or die "no socket: $!";
open my $file, ">", "/tmp/mine" or die; print $file "mine"; close $file;
until (-e "/tmp/stop") {{ print "tick\\n"; select undef, undef, undef, 0.2; }}
open $file, "<", "/tmp/mine" or die "my file is gone"; print "kept: ", <$file>, "\\n";
"""
SETTINGS = ("kernel/core_pattern", "kernel/sysrq", "kernel/hostname", "kernel/modprobe", "kernel/dmesg_restrict",
            "user/max_user_namespaces", "vm/overcommit_memory", "net/ipv4/ip_forward", "fs/suid_dumpable")  # fmt: skip
FOLDERS = ("/", "/etc", "/root", "/home", "/usr/bin", "/usr/local/bin", "/var/lib", "/dev", "/dev/shm", "/boot")

KERNEL_PATHS = (
    *(f"/proc/{name}" for name in ("sys/kernel/core_pattern", "sys/kernel/sysrq", "sys/kernel/modprobe",
                                   "sys/vm/drop_caches", "sysrq-trigger", "1/oom_score_adj", "1/mem", "kcore", "kmsg",
                                   "irq/default_smp_affinity", "mtrr", "acpi/wakeup", "scsi/scsi")),
    *(f"/sys/{name}" for name in ("power/state", "kernel/mm/ksm/run", "block/sda/queue/scheduler", "fs/cgroup/x",
                                  "fs/cgroup/cgroup.procs", "fs/cgroup/memory/tasks", "fs/cgroup/release_agent",
                                  "fs/cgroup/pids/cgroup.procs", "kernel/uevent_helper")),
    *(f"/dev/{name}" for name in ("sda", "vda", "nvme0n1", "mem", "kmsg", "port", "loop0", "loop-control", "kvm",
                                  "mapper/control", "fuse", "net/tun", "console", "tty1", "snapshot", "cuse", "vsock")),
)  # fmt: skip
ATTEMPTS = r"""
write() { if (echo hostile > "$1") 2>/dev/null; then echo "GOT $1"; fi; tried=$((tried + 1)); }
refused() { if "$@" > /dev/null 2>&1; then echo "GOT $*"; fi; tried=$((tried + 1)); }
"""
ON_THE_KERNEL = """refused mount -t tmpfs none /mnt
refused mount -o remount,rw,bind /proc/sys
refused mount -t cgroup2 none /mnt
refused mount -t sysfs none /mnt
refused umount /proc/sysrq-trigger
refused mknod /tmp/sda b 8 0
refused mknod /tmp/mem c 1 1
"""


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """A running build: it says `tick` five times a second until it is told to end."""

    process: subprocess.Popen[bytes]
    output: Path
    said: Path

    def ticks(self) -> int:
        return self.said.read_bytes().count(b"\ntick")

    def is_alive(self) -> bool:
        """Whether it goes on ticking."""
        before, until = self.ticks(), time.monotonic() + SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            if self.ticks() > before + 1:
                return True
            time.sleep(0.05)
        return False

    def finish(self) -> str:
        """Let it come to its end; what it said."""
        pid = next(pid for pid, words in processes().items() if words.startswith(NAME))
        Path(f"/proc/{pid}/root/tmp/stop").touch()
        self.process.wait(SECONDS)
        return self.said.read_text()


@contextmanager
def neighbour(folder: Path, state: Path) -> Iterator[Neighbour]:
    dsc = write_source(folder, NAME, "perl ./payload", payload=LISTENS.encode())
    args = ["build", dsc, "--chroot", "trixie-amd64", "--state", state, "--output", folder / "out"]
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen([sys.executable, "-m", "chroots.engine", *map(str, args)], cwd=ROOT,
                                   stdout=said, stderr=subprocess.STDOUT)  # fmt: skip
    found = Neighbour(process=process, output=folder / "out", said=folder / "said")
    try:
        until = time.monotonic() + 10 * SECONDS  # the first build on a host makes the base
        while not found.ticks():
            assert process.poll() is None and time.monotonic() < until, found.said.read_text()
            time.sleep(0.1)
        yield found
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def processes() -> dict[int, str]:
    """The command line of every process of the host, whatever namespace it is in."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found[int(path.parent.name)] = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended
    return found


def groups(work: set[str]) -> list[Path]:
    """The control groups of the builds that worked in these folders."""
    names = {f"debatomic-{name.strip('.')}" for name in work}
    return [path for path in Path("/sys/fs/cgroup").glob("**/debatomic-new-*") if path.name in names]


def host(state: Path) -> dict[str, Any]:
    """What a hostile build must not change: compare before and after."""
    return {
        "processes": [words for words in processes().values() if MARK in words and "pytest" not in words],
        "mounts": [line for line in Path("/proc/self/mounts").read_text().splitlines()
                   if os.fspath(state) in line or MARK in line],
        "work": sorted(path.name for path in state.glob("work/.[nd]*")),
        "layers": sorted(path.name for path in state.glob("layers/.[nd]*")),
        "settings": {name: path.read_text() for name in SETTINGS if (path := Path("/proc/sys") / name).exists()},
        "files": [os.fspath(path) for name in FOLDERS for path in Path(name).glob(f"*{MARK}*")],
        "devices": sorted(path.name for path in Path("/dev").iterdir() if path.is_block_device()),
        "passwd": Path("/etc/passwd").read_bytes(),
        "shared memory": _left_memory(),
    }  # fmt: skip


def _left_memory() -> list[str]:
    """The segments that nobody has attached; whoever else works on this host has theirs attached."""
    rows = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[6] == "0"]
