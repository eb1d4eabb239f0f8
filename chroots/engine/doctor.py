"""What this host can and cannot do, and the line that mends it."""

from __future__ import annotations

import os
import platform
import shutil
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from chroots.engine.archives.fetch import opened
from chroots.engine.archives.mirror import default_mirror
from chroots.engine.backends.table import BACKENDS
from chroots.engine.building.backend import Backend, missing_programs
from chroots.engine.isolation.machine import MACHINES
from chroots.engine.isolation.unprivileged import obstacle
from chroots.engine.layers.overlay import file_system
from chroots.engine.spec import DEBIAN_KEYRING
from chroots.engine.state import State
from debatomic.tools.errors import ToolError
from debatomic.tools.run import contained, package_of, plain_environment, run

# What the engine starts, some of it through another program, which could not say what is missing.
PROGRAMS = ("bwrap", "chroot", "gpgv", "mkfs.ext4", "mmdebstrap", "mount", "setpriv", "umount", "unshare")
DISK_WANTED = 10 << 30
CGROUPS = Path("/sys/fs/cgroup")
BINFMT = Path("/proc/sys/fs/binfmt_misc")
# qemu's names of architectures.
EMULATED = {"amd64": "qemu-x86_64", "arm64": "qemu-aarch64"}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing looked at: `mend` is what to do where it is missing; builds cannot run without what is `needed`."""

    name: str
    ok: bool
    found: str
    needed: bool = True
    mend: str = ""

    @property
    def line(self) -> str:
        """For people."""
        word = "ok" if self.ok else "missing" if self.needed else "lacking"
        return f"{word:8}{self.name}: {self.found}" + (f"\n        mend: {self.mend}" if not self.ok else "")


def examine(state: State, mirror: str) -> Iterator[Check]:
    """Look at everything, one thing after the other."""
    yield rights(os.geteuid() == 0)
    yield from map(_program, PROGRAMS)
    yield Check(name="keyring", ok=DEBIAN_KEYRING.exists(), found=str(DEBIAN_KEYRING),
                mend="apt install debian-archive-keyring")  # fmt: skip
    yield namespaces(_number(Path("/proc/sys/user/max_user_namespaces")))
    yield _overlay(state)
    yield control_groups(CGROUPS)
    yield disk(_existing(state.root), DISK_WANTED)
    yield _network(mirror or default_mirror())
    yield from emulation(platform.machine(), BINFMT)
    yield from (backend_check(each) for each in BACKENDS.values() if each.programs)


def rights(is_root: bool) -> Check:
    """Root, or a user with ids of their own."""
    if is_root:
        return Check(name="rights", ok=True, found="root")
    found = obstacle()
    told = f"no root, and {found.sentence}" if found else "no root; a user namespace with ids of your own does"
    return Check(name="rights", ok=not found, found=told, mend=f"As root: {found.mend}" if found else "")


def _program(name: str) -> Check:
    found = shutil.which(name, path=plain_environment()["PATH"])
    return Check(name=f"program {name}", ok=bool(found), found=found or "not installed",
                 mend=f"apt install {package_of(name)}")  # fmt: skip


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def namespaces(limit: int) -> Check:
    return Check(name="user namespaces", ok=limit > 0, found=f"at most {limit}",
                 mend="sysctl -w user.max_user_namespaces=65536")  # fmt: skip


def _existing(path: Path) -> Path:
    return next(parent for parent in (path, *path.parents) if parent.exists())


def _overlay(state: State) -> Check:
    """Really mount one, in namespaces that end with the test."""
    kind = file_system(state.root, Path("/proc/self/mountinfo").read_text())
    name = f"overlayfs in {state.root}"
    if kind == "overlay":
        return Check(name=name, ok=False, found="the folder is on an overlay file system itself",
                     mend="Choose a folder on a disk with --state or DEBATOMIC_HOME.")  # fmt: skip
    if not shutil.which("unshare", path=plain_environment()["PATH"]):
        return Check(name=name, ok=False, found="not tried: that takes unshare", mend="apt install util-linux")
    try:
        said = _mounted(state)
    except (ToolError, OSError) as error:
        said = str(error)
    return Check(name=name, ok=not said, found=said or f"mounts, on {kind}",
                 mend="modprobe overlay; or choose a folder on ext4, xfs or btrfs with --state.")  # fmt: skip


def _mounted(state: State) -> str:
    """What kept an overlay from being mounted; nothing if it was."""
    state.work.mkdir(parents=True, exist_ok=True)
    folder = state.work / f".new-doctor-{os.getpid()}"
    for name in ("lower", "upper", "work", "at"):
        (folder / name).mkdir(parents=True)
    try:
        own = "" if os.geteuid() == 0 else ",userxattr"
        options = f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work{own}"
        done = run(contained(["mount", "-t", "overlay", "-o", options, "overlay", f"{folder}/at"]), capture=True,
                   check=False)  # fmt: skip
        return done.stdout.strip() if done.returncode else ""
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # overlayfs leaves a folder that only its maker reads


def control_groups(folder: Path) -> Check:
    """Version 2 with memory and pids, or version 1 with both."""
    mend = "Builds run with coarser limits; start with systemd.unified_cgroup_hierarchy=1, as Debian does."
    if (folder / "cgroup.controllers").exists():
        there, version = (folder / "cgroup.controllers").read_text().split(), 2
    else:
        there, version = [name for name in ("memory", "pids") if (folder / name / "cgroup.procs").exists()], 1
    lacking = sorted({"memory", "pids"} - set(there))
    writable = os.access(folder / ("" if version == 2 else "memory"), os.W_OK)
    found = f"version {version}, without {' and '.join(lacking)}" if lacking else f"version {version}"
    return Check(name="control groups", ok=not lacking and writable, needed=False, mend=mend,
                 found=found if writable else f"{found}, read-only")  # fmt: skip


def disk(folder: Path, wanted: int) -> Check:
    free = shutil.disk_usage(folder).free
    return Check(name="free disk", ok=free >= wanted, needed=free < wanted // 10, found=f"{free >> 30} GiB in {folder}",
                 mend="Free space, for example with: python -m chroots.engine scrub --all")  # fmt: skip


def _network(mirror: str) -> Check:
    server = urllib.parse.urlsplit(mirror).netloc or mirror
    try:
        with opened(f"{mirror.rstrip('/')}/dists/stable/InRelease", "HEAD"):
            return Check(name="mirror", ok=True, found=server)
    except ToolError as error:
        return Check(name="mirror", ok=False, found=str(error).rstrip("."),
                     mend="Name a mirror this host reaches with --mirror or DEBATOMIC_MIRROR.")  # fmt: skip


def emulation(machine: str, binfmt: Path) -> Iterator[Check]:
    """Which foreign architectures programs run of."""
    own = MACHINES.get(machine, machine)
    for architecture, name in EMULATED.items():
        if architecture != own:
            ok = _is_registered(binfmt / name)
            yield Check(name=f"programs of {architecture}", ok=ok, needed=False,
                        found="run by qemu" if ok else "do not run here",
                        mend="apt install qemu-user-static binfmt-support arch-test; without systemd also: "
                             f"update-binfmts --enable {name}")  # fmt: skip


def _is_registered(entry: Path) -> bool:
    """Enabled, and with the flag F: the emulator is open already, so that it need not be in the chroot."""
    try:
        text = entry.read_text()
    except OSError:
        return False
    flags = next((line.partition(":")[2] for line in text.splitlines() if line.startswith("flags")), "")
    return text.startswith("enabled") and "F" in flags


def backend_check(backend: Backend) -> Check:
    """Whether another tool can build here as well."""
    lacking = missing_programs(backend.programs)
    packages = " ".join(dict.fromkeys(package_of(name) for name in lacking))
    return Check(name=f"backend {backend.name}", ok=not lacking, needed=False, mend=f"apt install {packages}",
                 found=f"without {', '.join(lacking)}" if lacking else "installed")  # fmt: skip


def can_build(checks: Sequence[Check]) -> bool:
    return all(check.ok or not check.needed for check in checks)
