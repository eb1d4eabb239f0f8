"""Who tells a machine at its first boot what it is: nobody, cloud-init, or systemd-firstboot."""

from __future__ import annotations

from pathlib import Path

from composes.pipeline.treefiles.marks import prefix
from debatomic.tools.errors import InputError

CLOUD = "etc/cloud/cloud.cfg.d/90-debatomic.cfg"
# What is at / cannot be resized, and sources of packages belong to the image.
CLOUD_TEXT = "growpart: {mode: 'off'}\nresize_rootfs: false\napt: {preserve_sources_list: true}\n"
FIRSTBOOT = "usr/lib/systemd/system/sysinit.target.wants/systemd-firstboot.service"
NEEDS = {"cloud-init": ("usr/bin/cloud-init", "cloud-init"),
         "systemd-firstboot": ("usr/bin/systemd-firstboot", "systemd")}  # fmt: skip


def prepare(root: Path, wanted: str) -> None:
    """Set the tree up for `first-boot: wanted`. Raises InputError where it lacks the program."""
    if wanted in NEEDS:
        program, package = NEEDS[wanted]
        if not (root / program).exists():
            raise InputError(f"{prefix(wanted)}first-boot: {wanted} needs the package {package}.",
                             hint=f"Add {package} to packages.")  # fmt: skip
    if wanted == "cloud-init":
        (root / CLOUD).parent.mkdir(parents=True, exist_ok=True)
        (root / CLOUD).write_text(CLOUD_TEXT)
    if wanted == "systemd-firstboot":
        link = root / FIRSTBOOT
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to("../systemd-firstboot.service")
