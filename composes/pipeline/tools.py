"""The tools chroot: image work is done with programs of the target's time, whatever the host has."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chroots.engine.isolation.devices import LINKS, NODES
from chroots.engine.layers.base import Layer
from chroots.engine.layers.overlay import overlay
from chroots.engine.spec import ChrootSpec
from debatomic.tools.errors import CommandFailed, Kind, ToolError
from debatomic.tools.run import Completed, run

PACKAGES = (
    "apt-utils", "btrfs-progs", "ca-certificates", "dosfstools", "e2fsprogs", "fdisk", "grub-common", "mmdebstrap",
    "mtools", "ostree", "qemu-system-x86", "qemu-utils", "squashfs-tools", "xfsprogs", "xorriso", "zstd",
)  # fmt: skip
BY_ARCHITECTURE = {"amd64": ("grub-efi-amd64-bin", "grub-pc-bin", "ovmf")}
DISK_FULL = re.compile(r"No space left on device|disk full|write error.*space", re.IGNORECASE)


def chroot_spec(
    suite: str, architecture: str, mirror: str, keyring: Path, *, check_valid_until: bool = True
) -> ChrootSpec:
    """The base the engine makes the tools from."""
    return ChrootSpec(
        name=f"tools-{suite}-{architecture}", suite=suite, architecture=architecture, mirror=mirror, keyring=keyring,
        check_valid_until=check_valid_until,
        variant="minbase", packages=(*PACKAGES, *BY_ARCHITECTURE[architecture]), refresh_after=7 * 24 * 3600,
        bootstrap_options=('--dpkgopt=path-exclude=/usr/share/man/*', '--dpkgopt=path-exclude=/usr/share/doc/*'),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The tools chroot, entered: `shared` folders have the same path inside and outside."""

    root: Path
    identity: str
    log: Callable[[bytes], object]
    tree: Path = Path()  # of the layer alone, without what is shared: to be read

    def run(
        self, args: Sequence[str | os.PathLike[str]], *, env: Mapping[str, str] | None = None, **options: Any
    ) -> Completed:
        """Run a program of the tools; options as for `debatomic.tools.run.run`, its output goes to the log."""
        command = ["chroot", os.fspath(self.root), *(os.fspath(each) for each in args)]
        return checked(command, **{"log": self.log, "env": {"TMPDIR": "/var/tmp", **(env or {})}, **options})  # noqa: S108

    def read(self, args: Sequence[str | os.PathLike[str]], *, env: Mapping[str, str] | None = None) -> str:
        """What a program of the tools prints."""
        return self.run(args, capture=True, log=None, env=env).stdout.strip()


def checked(command: Sequence[str], shown: Sequence[str] = (), **options: Any) -> Completed:
    """`run`, and a full disk told as such; `chroot ROOT` in front of a program is not worth mentioning, nor is what
    else is not in `shown`.

    In a chroot the temporary folder is its own: the caller's is not there.
    """
    own = {"TMPDIR": "/tmp"} if command[0] == "chroot" else {}  # noqa: S108 - the chroot's
    try:
        return run(command, **{**options, "env": {**own, **(options.get("env") or {})}})
    except CommandFailed as error:
        shown = shown or (command[2:] if command[0] == "chroot" else command)
        if DISK_FULL.search(error.tail):
            raise ToolError(f"The disk is full: {shown[0]} could not write.", kind=Kind.DISK,
                            hint="Free some space or use another --state.", lines=error.lines) from error  # fmt: skip
        raise CommandFailed(shown, error.returncode, tail=error.tail) from error


@contextmanager
def entered(layer: Layer, *, work: Path, shared: Sequence[Path], log: Callable[[bytes], object]) -> Iterator[Tools]:
    """The tools over a scratch upper in `work`, with the folders `shared` at their own paths."""
    with ExitStack() as undo:
        upper, mounted = work / "tools-upper", work / "tools"
        for folder in (upper, mounted):
            folder.mkdir()
        root = undo.enter_context(overlay([layer], mounted, upper=upper))
        undo.enter_context(system_mounts(root, devices=("kvm",)))
        for folder in shared:
            undo.enter_context(bound(folder, root / folder.relative_to("/")))
        yield Tools(root=root, identity=_installed(layer.tree), log=log, tree=layer.tree)


@contextmanager
def bound(source: Path, target: Path, *options: str) -> Iterator[None]:
    """`source`, a file or folder, seen at `target` too."""
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    with _mounted("--bind", *options, os.fspath(source), at=target):
        yield


@contextmanager
def _mounted(*args: str, at: Path) -> Iterator[None]:
    run(["mount", *args, os.fspath(at)])
    try:
        yield
    finally:
        run(["umount", "--lazy", os.fspath(at)], check=False)


@contextmanager
def system_mounts(root: Path, devices: Sequence[str] = ()) -> Iterator[None]:
    """What programs expect in a chroot: /proc of this PID namespace, /sys to read, harmless devices and those named."""
    with ExitStack() as undo:
        undo.enter_context(_mounted("-t", "proc", "-o", "nosuid,nodev,noexec", "proc", at=root / "proc"))
        undo.enter_context(_mounted("-t", "sysfs", "-o", "ro,nosuid,nodev,noexec", "sysfs", at=root / "sys"))
        undo.enter_context(_mounted("-t", "tmpfs", "-o", "mode=755,nosuid,noexec,size=64m", "dev", at=root / "dev"))
        _fill(root / "dev")
        undo.enter_context(_mounted("-t", "devpts", "-o", "newinstance,ptmxmode=0666", "devpts", at=root / "dev/pts"))
        for name in devices:
            if (device := Path("/dev", name)).exists():
                undo.enter_context(bound(device, root / "dev" / name))
        yield


def _fill(dev: Path) -> None:
    for name, (major, minor) in NODES.items():
        os.mknod(dev / name, stat.S_IFCHR | 0o666, os.makedev(major, minor))
        (dev / name).chmod(0o666)
    for name, target in LINKS.items():
        (dev / name).symlink_to(target)
    for name in ("pts", "shm"):
        (dev / name).mkdir()
    (dev / "shm").chmod(0o1777)


def _installed(tree: Path) -> str:
    """The digest of what is installed in a tree."""
    return hashlib.sha256((tree / "var/lib/dpkg/status").read_bytes()).hexdigest()
