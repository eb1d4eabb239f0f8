"""systemd-boot: libostree's menu stays on the root file system, a copy of it is on the EFI system partition.

libostree replaces a menu as a whole by a symbolic link, which FAT has not, and systemd-boot reads nothing but FAT. So
units in the tree bring the menu over: at boot, when libostree changed it, and at shutdown after a staged deployment.
"""

from __future__ import annotations

from pathlib import Path

from composes.pipeline.treefiles.marks import prefix
from debatomic.tools.errors import InputError

PROGRAM = "usr/lib/systemd/boot/efi/systemd-bootx64.efi"
SYNC, DEVICE, LINK = "usr/lib/debatomic/esp-sync", "usr/lib/debatomic/esp-update", "usr/lib/debatomic/menu-link"
UNITS = "usr/lib/systemd/system"
ON_THE_DEVICE = f"""\
#!/bin/sh
# In a mount namespace of its own: the partition is there for as long as it takes.
set -eu
exec 9>/run/debatomic-esp.lock
flock 9
mkdir -p /run/debatomic-esp
mount -t vfat -o umask=0077 /dev/disk/by-partlabel/esp /run/debatomic-esp
/{SYNC} /sysroot /run/debatomic-esp /{PROGRAM}
umount /run/debatomic-esp
"""
SERVICE = f"""\
[Unit]
Description=Boot menu on the EFI system partition
After=local-fs.target
[Service]
Type=oneshot
PrivateMounts=yes
ExecStart=/{DEVICE}
"""
# Stops after ostree-finalize-staged.service did, which then has made the menu.
AT_SHUTDOWN = f"""\
[Unit]
Description=Boot menu on the EFI system partition, when the machine goes down
After=local-fs.target
Before=ostree-finalize-staged.service
[Service]
Type=oneshot
RemainAfterExit=yes
PrivateMounts=yes
ExecStart=/{DEVICE}
ExecStop=/{DEVICE}
"""
PATH = """\
[Unit]
Description=Changes of the boot menu
[Path]
PathChanged=/sysroot/ostree/deploy
"""
IN_THE_INITRAMFS = f"[Service]\nExecStartPre=-/bin/sh /{LINK}\n"
BESIDE = Path(__file__).parent  # read now: the work is done with the tree as the root folder
SYNC_SCRIPT, LINK_SCRIPT = (BESIDE / "esp-sync.sh").read_text(), (BESIDE / "menu-link.sh").read_text()
DROP_IN = f"{UNITS}/ostree-prepare-root.service.d/10-debatomic.conf"
DRACUT = f'install_items+=" /{LINK} /{DROP_IN} "\n'


def prepare(root: Path, wanted: str) -> None:
    """What must be there before the initramfs is made. Raises InputError where the tree lacks systemd-boot."""
    if not (root / PROGRAM).exists():
        raise InputError(f"{prefix(wanted)}image.bootloader: systemd-boot needs the package systemd-boot-efi.",
                         hint="Add systemd-boot-efi to packages.")  # fmt: skip
    _put(root / LINK, LINK_SCRIPT, 0o755)
    _put(root / DROP_IN, IN_THE_INITRAMFS)
    _put(root / "usr/lib/dracut/dracut.conf.d/11-debatomic-menu.conf", DRACUT)
    _put(root / SYNC, SYNC_SCRIPT, 0o755)
    _put(root / DEVICE, ON_THE_DEVICE, 0o755)
    units = {"debatomic-esp.service": SERVICE, "debatomic-esp-shutdown.service": AT_SHUTDOWN,
             "debatomic-esp.path": PATH}  # fmt: skip
    for name, text in units.items():
        _put(root / UNITS / name, text)
    for name in ("debatomic-esp-shutdown.service", "debatomic-esp.path"):
        link = root / UNITS / "multi-user.target.wants" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(f"../{name}")


def _put(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
