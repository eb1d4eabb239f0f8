"""What the machine of the boot gate is told at its first boot, and whether it listened.

cloud-init reads a seed disk of the kind NoCloud; systemd-firstboot takes credentials, and asks nobody.
"""

from __future__ import annotations

from pathlib import Path

from composes.pipeline.tools import Tools

HOST, USER = "debatomic-first", "debatomic-user"
META_DATA = f"instance-id: {HOST}\nlocal-hostname: {HOST}\n"
USER_DATA = f"""\
#cloud-config
users:
- name: {USER}
  shell: /bin/sh
  lock_passwd: true
"""
ZONE = "Etc/UTC"
LOCKED = "!debatomic"  # no password at all, and not the image's
CREDENTIALS = {"firstboot.locale": "C.UTF-8", "firstboot.keymap": "us", "firstboot.timezone": ZONE,
               "passwd.hashed-password.root": LOCKED, "passwd.shell.root": "/bin/bash"}  # fmt: skip
# Commands of the proof, and what they must say.
ASKED = {
    "cloud-init": (f'echo "host $(cat /proc/sys/kernel/hostname)"; echo "user $(id -un {USER})";',
                   (f"host {HOST}", f"user {USER}")),
    "systemd-firstboot": (
        'echo "locale $(sed -n s/^LANG=//p /etc/locale.conf)"; echo "zone $(readlink /etc/localtime)"; '
        'echo "root $(sed -n s/^root://p /etc/shadow | cut -d: -f1)";',
        ("locale C.UTF-8", f"zone ../usr/share/zoneinfo/{ZONE}", f"root {LOCKED}"),
    ),
}  # fmt: skip


def credentials(wanted: str) -> dict[str, str]:
    """What systemd in the machine is handed so that nothing is asked on the console."""
    return CREDENTIALS if wanted == "systemd-firstboot" else {}


def commands(wanted: str) -> str:
    """Shell, for the proof."""
    return f'echo "[first-boot]"; {ASKED[wanted][0]}' if wanted in ASKED else ""


def missing(wanted: str, said: tuple[str, ...]) -> list[str]:
    """What the machine should have said, and did not."""
    return [line for line in ASKED[wanted][1] if line not in said] if wanted in ASKED else []


def write_seed(tools: Tools, path: Path) -> None:
    """A disk with a FAT file system named CIDATA, as cloud-init looks for it."""
    files = {"meta-data": META_DATA, "user-data": USER_DATA}
    with path.open("wb") as image:
        image.truncate(4 << 20)
    tools.run(["mkfs.vfat", "-n", "CIDATA", path])
    for name, text in files.items():
        file = path.with_name(name)
        file.write_text(text)
        tools.run(["mcopy", "-i", path, file, f"::/{name}"])
        file.unlink()
