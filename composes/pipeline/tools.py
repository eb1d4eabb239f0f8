"""The tools chroot: image work is done with programs of the target's time, whatever the host has."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chroots.engine.isolation.devices import LINKS, NODES
from chroots.engine.layers.base import Layer
from chroots.engine.layers.overlay import overlay
from chroots.engine.spec import ChrootSpec
from composes.pipeline.programs import checked
from composes.pipeline.system.jailing import Cell, cell
from debatomic.tools.errors import ToolError
from debatomic.tools.run import Completed, run

PACKAGES = (
    "apt-utils", "btrfs-progs", "ca-certificates", "dosfstools", "e2fsprogs", "fdisk", "grub-common", "mmdebstrap",
    "mtools", "ostree", "qemu-system-x86", "qemu-utils", "squashfs-tools", "xfsprogs", "xorriso", "zstd",
)  # fmt: skip
BY_ARCHITECTURE = {"amd64": ("grub-efi-amd64-bin", "grub-pc-bin", "ovmf")}


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
    """The tools chroot, entered: `shared` folders have the same path inside and outside.

    Its programs read what packages nobody of ours wrote have brought: they run in the engine's jail, without network
    and with nothing of the host but `shared`. Of that they can change all; with a `workplace`, only what is below it.
    """

    root: Path
    identity: str
    log: Callable[[bytes], object]
    tree: Path = Path()  # of the layer alone, without what is shared: to be read
    shared: tuple[Path, ...] = ()
    cell: Cell | None = None  # None: there is no jail
    workplace: Path | None = None

    def run(
        self, args: Sequence[str | os.PathLike[str]], *, env: Mapping[str, str] | None = None, jailed: bool = True,
        **options: Any,
    ) -> Completed:  # fmt: skip
        """Run a program of the tools; options as for `debatomic.tools.run.run`, its output goes to the log.

        Only what takes a device or the network, and reads nothing of packages itself, is not `jailed`.
        """
        words = [os.fspath(each) for each in args]
        given = {"log": self.log, **options, "env": {"TMPDIR": "/var/tmp", **(env or {})}}  # noqa: S108 - the chroot's
        if self.cell and jailed:
            try:
                return self._narrowed(self.cell).run(words, **given)
            finally:
                self._require_no_links()
        return checked(["chroot", os.fspath(self.root), *words], **given)

    def read(self, args: Sequence[str | os.PathLike[str]], **options: Any) -> str:
        """What a program of the tools prints."""
        return self.run(args, capture=True, log=None, **options).stdout.strip()

    def working(self, folder: Path) -> Tools:
        """The same, whose programs write only below `folder`."""
        return replace(self, workplace=folder)

    @property
    def widely(self) -> Tools:
        """The same, whose programs write to all that is shared: one mount, in which files can be linked."""
        return replace(self, workplace=None)

    def _require_no_links(self) -> None:
        """What tools leave is read and written outside, too: a link in its place would lead to the host's files."""
        for each in self.workplace.iterdir() if self.workplace else ():
            if each.is_symlink():
                raise ToolError(f"A program left a link where {each.name} was to be: nothing of it is used.")

    def _narrowed(self, cell: Cell) -> Cell:
        """Bound once more: what the jail has at /run and /dev would hide it."""
        shared = {os.fspath(each): each for each in self.shared}
        if not self.workplace:
            return replace(cell, lent=shared)
        return replace(cell, shown=shared, lent={os.fspath(self.workplace): self.workplace})


@contextmanager
def entered(
    layer: Layer, *, work: Path, shared: Sequence[Path], log: Callable[[bytes], object], network: bool = False
) -> Iterator[Tools]:
    """The tools over a scratch upper in `work`, with the folders `shared` at their own paths.

    Those in the jail have an upper of their own: what was changed there is never run outside, nor read from there.
    Their jail has a network only for those who ask for it: a machine in the field, say.
    """
    with ExitStack() as undo:
        root = undo.enter_context(overlay([layer], work / "tools", upper=work / "tools-upper"))
        inner = undo.enter_context(overlay([layer], work / "jailed-tools", upper=work / "jailed-tools-upper"))
        undo.enter_context(system_mounts(root, devices=("kvm",)))
        for each in shared:
            undo.enter_context(bound(each, root / each.relative_to("/")))
            _place(each, inner / each.relative_to("/"))
        jail = undo.enter_context(cell(inner, work, scratch=("/sys",), network=network))
        yield Tools(root=root, identity=_installed(layer.tree), log=log, tree=layer.tree, shared=tuple(shared),
                    cell=jail)  # fmt: skip


@contextmanager
def bound(source: Path, target: Path, *options: str) -> Iterator[None]:
    """`source`, a file or folder, seen at `target` too."""
    _place(source, target)
    with _mounted("--bind", *options, os.fspath(source), at=target):
        yield


def _place(source: Path, target: Path) -> None:
    """Have something at `target` that `source` can be mounted on."""
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()


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
