"""Who tells a machine at its first boot what it is: nobody, cloud-init, or systemd-firstboot."""

from __future__ import annotations

import re
from pathlib import Path

from composes.pipeline.treefiles.marks import prefix
from debatomic.tools.errors import InputError

CLOUD = "etc/cloud/cloud.cfg.d/90-debatomic.cfg"
# What is at / cannot be resized, and sources of packages belong to the image.
CLOUD_TEXT = "growpart: {mode: 'off'}\nresize_rootfs: false\napt: {preserve_sources_list: true}\n"
# systemd-firstboot takes what it is handed as credentials; of Debian's unit it asks for the rest on the console, too.
DROP_IN = "usr/lib/systemd/system/systemd-firstboot.service.d/10-debatomic.conf"
SILENT = "[Service]\nExecStart=\nExecStart=systemd-firstboot\n"
DECIDED = ("etc/locale.conf", "etc/default/locale", "etc/localtime", "etc/vconsole.conf")  # by Debian's packages
ROOT = re.compile(r"^root:[*!]+:", re.MULTILINE)
NEEDS = {"cloud-init": ("usr/bin/cloud-init", "cloud-init"),
         "systemd-firstboot": ("usr/bin/systemd-firstboot", "systemd")}  # fmt: skip


def prepare(root: Path, wanted: str) -> None:
    """Set the tree up for `first-boot: wanted`. Raises InputError where it lacks the program."""
    if wanted in NEEDS:
        program, package = NEEDS[wanted]
        if not (root / program).exists():
            raise InputError(f"{prefix(wanted)}first-boot: {wanted} needs the package {package}.",
                             hint=f"Add {package} to packages.")  # fmt: skip
    if wanted == "systemd-firstboot":
        _undecide(root)
    else:
        _put(root / DROP_IN, SILENT)
    if wanted == "cloud-init":
        _put(root / CLOUD, CLOUD_TEXT)


def _undecide(root: Path) -> None:
    """Take away the answers that packages gave, so that the questions are asked; customizations come later."""
    for name in DECIDED:
        (root / name).unlink(missing_ok=True)
    shadow = root / "etc/shadow"
    shadow.write_text(ROOT.sub("root:!unprovisioned:", shadow.read_text()))


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
