"""From a freshly installed Debian to a tree that OSTree can deploy and bootc accepts.

Everything a machine changes goes below /var and /etc, everything else is one immutable /usr; what packages put into
/var becomes a line for systemd-tmpfiles; dpkg's records move to /usr so that they belong to the image.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from composes.pipeline.system.accounts import configuration_lines, numbers, write_sysusers
from debatomic.tools.errors import InputError

SYSIMAGE = "usr/lib/sysimage"
PREPARE_ROOT = "[composefs]\nenabled = {composefs}\n[sysroot]\nreadonly = true\n"
DRACUT = """\
hostonly=no
hostonly_cmdline=no
reproducible=yes
compress="zstd -q -6 -T0"
add_dracutmodules+=" ostree systemd "
add_drivers+=" virtio_blk virtio_pci virtio_scsi virtio_net ext4 btrfs xfs erofs overlay vfat nls_ascii "
"""
# Records that packages' scripts ask for, below /var: kept with the image, at their old place by a link.
STATE = {
    "lib/dpkg": "dpkg", "lib/pam": "pam", "lib/ucf": "ucf", "lib/shells.state": "shells.state",
    "lib/systemd/deb-systemd-helper-enabled": "deb-systemd-helper-enabled",
    "lib/systemd/deb-systemd-user-helper-enabled": "deb-systemd-user-helper-enabled", "cache/debconf": "debconf",
}  # fmt: skip
STATE_LEFTOVERS = ("dpkg/lock*", "dpkg/*-old", "dpkg/triggers/Lock", "ucf/*.[0-9]*", "debconf/*-old")
TOP_LINKS = {"home": "var/home", "root": "var/roothome", "srv": "var/srv", "opt": "var/opt", "mnt": "var/mnt",
             "media": "run/media", "usr/local": "../var/usrlocal", "ostree": "sysroot/ostree"}  # fmt: skip
BASE_TMPFILES = (
    "d /var/home 0755 root root -", "d /var/roothome 0700 root root -", "d /var/srv 0755 root root -",
    "d /var/opt 0755 root root -", "d /var/mnt 0755 root root -", "d /var/usrlocal 0755 root root -",
    "d /var/usrlocal/bin 0755 root root -", "d /run/media 0755 root root -",
)  # fmt: skip
MOVED_HOMES = {"/home": "/var/home", "/srv": "/var/srv", "/root": "/var/roothome"}
LEFTOVERS = ("hostname", "passwd-", "group-", "shadow-", "gshadow-", "subuid-", "subgid-", ".pwd.lock")
NETWORK = "[Match]\nType=ether\n[Network]\nDHCP=yes\n"
EFI_MOUNT = """\
[Unit]
Description=EFI system partition
[Mount]
What=/dev/disk/by-partlabel/esp
Where=/efi
Type=vfat
Options=umask=0077{more}
"""
EFI_AUTOMOUNT = """\
[Unit]
Description=EFI system partition, when it is looked at
[Automount]
Where=/efi
TimeoutIdleSec=120
[Install]
WantedBy=local-fs.target
"""


@dataclass(frozen=True, kw_only=True)
class LayoutOptions:
    """What of the order decides the layout; `apt_sources` is the deb822 text the system's own apt gets."""

    kargs: tuple[str, ...]
    bootc_architecture: str  # Rust's name: x86_64
    apt_sources: str
    filesystem: str = "ext4"  # that bootc installs on
    esp_written: bool = False  # the machine itself writes to the EFI system partition
    trusted_keys: bytes = b""  # OpenPGP keys: who signs commits this system may become


def kernel_version(root: Path) -> str:
    """The one kernel of a tree. Raises InputError if there is none, or more than one."""
    modules = root / "usr/lib/modules"
    found = sorted(each.name for each in modules.iterdir()) if modules.is_dir() else []
    if len(found) != 1:
        has = f"{len(found)}: {', '.join(found)}" if found else "none"
        raise InputError(f"A system needs exactly one kernel, this tree has {has}.",
                         hint="Name one linux-image package in the treefile: linux-image-cloud-amd64.")  # fmt: skip
    return found[0]


def prepare_boot(root: Path, composefs: str = "maybe") -> str:
    """What must be there before the initramfs is made, because it goes into it. Returns the kernel's version."""
    version = kernel_version(root)
    if not (root / "usr/lib/dracut/modules.d").is_dir() or not (root / "usr/bin/ostree").exists():
        raise InputError("A system needs the packages dracut, ostree and ostree-boot to boot.",
                         hint="Add them to packages in the treefile.")  # fmt: skip
    _write(root / "usr/lib/ostree/prepare-root.conf", PREPARE_ROOT.format(composefs=composefs))
    _write(root / "usr/lib/dracut/dracut.conf.d/10-debatomic.conf", DRACUT)
    return version


def transform(root: Path, options: LayoutOptions) -> list[str]:
    """Lay the tree out; returns notes about what was dropped."""
    move_kernel(root, kernel_version(root))
    _write(root / "usr/lib/systemd/network/89-ether.network", NETWORK)
    _write(root / "usr/lib/systemd/system/efi.mount", EFI_MOUNT.format(more="" if options.esp_written else ",ro"))
    _write(root / "usr/lib/systemd/system/efi.automount", EFI_AUTOMOUNT)
    _link(root / "usr/lib/systemd/system/local-fs.target.wants/efi.automount", "../efi.automount")
    clean_etc(root, options)
    write_sysusers(root)
    state = move_state(root)
    dropped = empty_var(root, state)
    replace_top(root)
    correct_tmpfiles(root)
    write_bootc(root, options)
    write_trusted_keys(root, options.trusted_keys)
    empty(root / "run", 0o755)
    empty(root / "tmp", 0o1777)
    empty(root / "dev", 0o755)
    return dropped


def move_kernel(root: Path, version: str) -> None:
    """The kernel beside its modules, /boot empty."""
    modules = root / "usr/lib/modules" / version
    for name, target in ((f"vmlinuz-{version}", "vmlinuz"), (f"config-{version}", "config")):
        if (root / "boot" / name).exists():
            shutil.move(root / "boot" / name, modules / target)
    empty(root / "boot", 0o755)
    for name in ("vmlinuz", "vmlinuz.old", "initrd.img", "initrd.img.old"):
        (root / name).unlink(missing_ok=True)
    (modules / "initramfs.img").chmod(0o600)


def clean_etc(root: Path, options: LayoutOptions) -> None:
    """Nothing in /etc that belongs to one machine, or changes from build to build."""
    etc = root / "etc"
    for name in LEFTOVERS:
        (etc / name).unlink(missing_ok=True)
    for key in (etc / "ssh").glob("ssh_host_*_key*"):
        key.unlink()
    (etc / "machine-id").unlink(missing_ok=True)
    _write(etc / "machine-id", "uninitialized\n", mode=0o444)
    _write(etc / "fstab", "")
    _link(etc / "resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
    shutil.rmtree(etc / "apt/sources.list.d", ignore_errors=True)
    (etc / "apt/sources.list").unlink(missing_ok=True)
    _write(etc / "apt/sources.list.d/debian.sources", options.apt_sources)
    for name, setting in (("default/useradd", "HOME"), ("adduser.conf", "DHOME")):
        if (etc / name).exists():
            text = re.sub(rf"(?m)^#? *{setting}=.*$", f"{setting}=/var/home", (etc / name).read_text())
            _write(etc / name, text)


def move_state(root: Path) -> list[str]:
    """dpkg's and its helpers' records to /usr/lib/sysimage; returns the tmpfiles lines that lead there."""
    lines = []
    for place, name in STATE.items():
        source, target = root / "var" / place, root / SYSIMAGE / name
        if source.exists() and not source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(source, target)
            up = "../" * (1 + place.count("/"))
            lines.append(f"L /var/{place} - - - - {up}{SYSIMAGE}/{name}")
    for pattern in STATE_LEFTOVERS:
        for path in (root / SYSIMAGE).glob(pattern):
            path.unlink()
    extended = root / "var/lib/apt/extended_states"
    if extended.exists():
        (root / SYSIMAGE / "apt").mkdir(exist_ok=True)
        shutil.move(extended, root / SYSIMAGE / "apt/extended_states")
    return lines


def empty_var(root: Path, state: Sequence[str]) -> list[str]:
    """/var emptied, its folders and links written as tmpfiles.d lines. Returns the files that were dropped."""
    users = {number: name for name, number in numbers(root, "passwd")}
    groups = {number: name for name, number in numbers(root, "group")}
    known = {parts[1].rstrip("/") for line in configuration_lines(root / "usr/lib/tmpfiles.d")
             if len(parts := line.split()) > 1}  # fmt: skip
    lines, dropped = ["# folders and links that packages shipped in /var"], []
    for path in _below(root / "var"):
        status, name = path.lstat(), "/" + str(path.relative_to(root))
        if stat.S_ISDIR(status.st_mode) or stat.S_ISLNK(status.st_mode):
            if name not in known and re.fullmatch(r"[!-~]+", name) and "%" not in name:
                lines.append(_tmpfiles_line(path, name, status, users, groups))
        else:
            dropped.append(f"{name} ({status.st_size} bytes)")
    _write(root / "usr/lib/tmpfiles.d/debatomic-var.conf", "\n".join(lines) + "\n")
    _write(root / "usr/lib/tmpfiles.d/debatomic-base.conf", "\n".join([*state, *BASE_TMPFILES]) + "\n")
    empty(root / "var", 0o755)
    (root / "var/lib").mkdir(mode=0o755)
    (root / "var/tmp").mkdir()
    (root / "var/tmp").chmod(0o1777)
    if (root / SYSIMAGE / "dpkg").exists():
        _link(root / "var/lib/dpkg", f"../../{SYSIMAGE}/dpkg")
    return dropped


def _tmpfiles_line(path: Path, name: str, status: os.stat_result, users: dict[int, str], groups: dict[int, str]) -> str:
    if stat.S_ISLNK(status.st_mode):
        return f"L {name} - - - - {path.readlink()}"
    user, group = users.get(status.st_uid, status.st_uid), groups.get(status.st_gid, status.st_gid)
    return f"d {name} {stat.S_IMODE(status.st_mode):04o} {user} {group} - -"


def _below(folder: Path) -> Iterator[Path]:
    """Everything below a folder, parents first, in the order of names; links are not followed."""
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)


def replace_top(root: Path) -> None:
    """Top folders that change are links into /var and /run."""
    for name, target in TOP_LINKS.items():
        path = root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        _link(path, target)
    for name in ("sysroot", "efi"):
        (root / name).mkdir(exist_ok=True)
        (root / name).chmod(0o755)


def correct_tmpfiles(root: Path) -> None:
    """systemd-tmpfiles refuses to go through links: name the folders behind them."""
    for path in sorted((root / "usr/lib/tmpfiles.d").glob("*.conf")):
        text = path.read_text(errors="replace")
        new = text
        for old, moved in MOVED_HOMES.items():
            new = re.sub(rf"(?m)^([a-zA-Z][-+=~^!$]*\s+){old}(?=[/\s])", rf"\1{moved}", new)
        if new != text:
            _write(path, new)


def write_bootc(root: Path, options: LayoutOptions) -> None:
    """What bootc reads: kernel arguments, and the file system to install on."""
    kargs = ", ".join(f'"{each}"' for each in options.kargs)
    _write(root / "usr/lib/bootc/kargs.d/00-debatomic.toml",
           f'kargs = [{kargs}]\nmatch-architectures = ["{options.bootc_architecture}"]\n')  # fmt: skip
    _write(root / "usr/lib/bootc/install/00-debatomic.toml",
           f'[install.filesystem.root]\ntype = "{options.filesystem}"\n')  # fmt: skip
    _write(root / "usr/lib/kernel/install.conf.d/00-ostree.conf", "layout=ostree\n")


def write_trusted_keys(root: Path, keys: bytes) -> None:
    """Where libostree looks for the keys of every remote that is to be verified."""
    path = root / "usr/share/ostree/trusted.gpg.d/debatomic.gpg"
    if keys:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(keys)
        path.chmod(0o644)


def empty(folder: Path, mode: int) -> None:
    """Nothing in a folder, which is there with `mode`."""
    if folder.is_symlink():
        folder.unlink()
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    folder.chmod(mode)


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)
