"""mkosi and debos as Debian 13 has them, in a root of their own, for the same packages as a compose.

They run in a bubblewrap of that root with the host's devices, as root; debos without its virtual machine.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chroots.engine.archives.mirror import default_mirror
from debatomic.tools.run import run

SUITE = "trixie"
TOOLS = (
    "apt", "ca-certificates", "cpio", "debian-archive-keyring", "debos", "dosfstools", "e2fsprogs", "kmod", "mkosi",
    "mmdebstrap", "mtools", "systemd", "systemd-boot", "systemd-container", "systemd-repart", "systemd-ukify",
    "uidmap", "zstd",
)  # fmt: skip
MKOSI = """\
[Distribution]
Distribution=debian
Release={suite}
Mirror={mirror}
Repositories=main

[Output]
Format=disk
Output=image
OutputDirectory={folder}/out
ManifestFormat=json

[Build]
PackageCacheDirectory={folder}/packages
CacheDirectory={folder}/cache
WorkspaceDirectory={folder}/work
Incremental={incremental}

[Content]
Bootable=yes
Bootloader=systemd-boot
UnifiedKernelImages=no
WithDocs=no
WithRecommends=no
Packages={packages}
{more}"""
SOURCES = """\
Types: deb
URIs: {mirror}
Suites: {suite}
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
DEBOS = """\
architecture: amd64
actions:
  - action: mmdebstrap
    suite: {suite}
    mirrors: ["deb {mirror} {suite} main"]
    variant: minbase
    include: [{packages}]
  - action: image-partition
    imagename: debos.img
    imagesize: 3GB
    partitiontype: gpt
    mountpoints: [{{mountpoint: /, partition: root}}, {{mountpoint: /boot/efi, partition: esp}}]
    partitions:
      - {{name: esp, fs: vfat, start: 1MiB, end: 257MiB, flags: [boot]}}
      - {{name: root, fs: ext4, start: 257MiB, end: 100%}}
  - action: filesystem-deploy
    append-kernel-cmdline: console=ttyS0
  - action: run
    chroot: true
    command: bootctl install --no-variables --esp-path=/boot/efi
"""


@dataclass(frozen=True, kw_only=True)
class Peers:
    """Where they live and work: below `folder`; `packages` are the names that a system is made of."""

    folder: Path
    packages: tuple[str, ...]

    @property
    def root(self) -> Path:
        return self.folder / "peers"

    def prepare(self) -> None:
        """Their root, made once; their versions."""
        if not self.root.exists():
            run(["mmdebstrap", "--variant=minbase", f"--include={','.join(TOOLS)}", SUITE, os.fspath(self.root),
                 default_mirror()])  # fmt: skip
        names = self.root / "etc/resolv.conf"  # a link into /run, where nobody is
        names.unlink(missing_ok=True)
        shutil.copyfile("/etc/resolv.conf", names)
        shown = run([*self.inside(), "dpkg-query", "-W", "-f=${Package} ${Version}\n", "mkosi", "debos"], capture=True)
        print(shown.stdout.strip())

    def inside(self) -> list[str]:
        """In front of a command line: the same folder, the peers' programs."""
        return ["bwrap", "--die-with-parent", "--unshare-pid", "--cap-add", "ALL", "--bind", os.fspath(self.root), "/",
                "--dev-bind", "/dev", "/dev", "--proc", "/proc", "--bind", "/sys", "/sys", "--tmpfs", "/run",
                "--tmpfs", "/tmp",
                "--bind", os.fspath(self.folder), os.fspath(self.folder), "--chdir", os.fspath(self.folder),
                "--setenv", "PATH", "/usr/sbin:/usr/bin", "--setenv", "HOME", "/root"]  # fmt: skip

    def mkosi(self, *, incremental: bool = False, more: str = "", again: bool = False) -> list[str]:
        """An image by mkosi; `more` belongs to its section Content; `again`: without what it has cached."""
        folder = self.folder / "mkosi"
        for name in ("packages", "cache", "work", "out", "configuration"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "configuration/mkosi.conf").write_text(MKOSI.format(
            suite=SUITE, mirror=default_mirror(), folder=folder, incremental="yes" if incremental else "no",
            packages=",".join([*self.packages, "systemd-boot"]), more=more))  # fmt: skip
        sources = folder / "configuration/mkosi.sandbox/etc/apt/sources.list.d/mkosi.sources"  # no other archives
        sources.parent.mkdir(parents=True, exist_ok=True)
        sources.write_text(SOURCES.format(suite=SUITE, mirror=default_mirror()))
        force = ["--force", "--force"] if again else ["--force"]
        return [*self.inside(), "mkosi", f"--directory={folder}/configuration", *force, "build"]

    def forget(self) -> None:
        """What mkosi has cached but package files."""
        for name in ("cache", "work", "out"):
            shutil.rmtree(self.folder / "mkosi" / name, ignore_errors=True)

    def mkosi_has(self, version: str) -> bool:
        """Whether the image it made last holds a package of this version."""
        return version in (self.folder / "mkosi/out/image.manifest").read_text()

    def debos(self) -> list[str]:
        folder = self.folder / "debos"
        folder.mkdir(exist_ok=True)
        recipe = folder / "recipe.yaml"
        recipe.write_text(DEBOS.format(suite=SUITE, mirror=default_mirror(), packages=_listed(self.packages)))
        return [*self.inside(), "debos", "--disable-fakemachine", f"--artifactdir={folder}", os.fspath(recipe)]


def _listed(names: Sequence[str]) -> str:
    return ", ".join([*names, "systemd-boot"])
