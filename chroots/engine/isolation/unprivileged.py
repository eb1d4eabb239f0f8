"""Working without root on the host: in a user namespace with the ids that the host's administrator gave one."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from debatomic.tools.errors import ToolError
from debatomic.tools.run import contained, plain_environment, run

ALL_IDS = "0 0 4294967295"
IDS = 65536  # Debian's users and groups, nobody among them
FIRST = 100_000  # where useradd begins
PROGRAMS = {"newuidmap": "uidmap", "newgidmap": "uidmap"}  # and their packages
SWITCHES = {  # settings of the kernel that keep users from making namespaces: name, the value that does, what mends it
    "kernel/unprivileged_userns_clone": ("0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    "kernel/apparmor_restrict_unprivileged_userns": (
        "1", "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0; or give unshare and bwrap profiles that allow "
        "userns"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """What keeps a user from working without root, and the line that mends it."""

    sentence: str
    mend: str


def is_host_root(uid_map: str | None = None) -> bool:
    """Whether our root is the host's: it can make devices, mount images, and read what others wrote."""
    text = Path("/proc/self/uid_map").read_text() if uid_map is None else uid_map
    return os.geteuid() == 0 and text.split() == ALL_IDS.split()


def obstacle(kernel: Path = Path("/proc/sys"), files: Path = Path("/etc")) -> Obstacle | None:
    """What keeps this user from working without root; None if nothing does."""
    for program, package in PROGRAMS.items():
        if not shutil.which(program, path=plain_environment()["PATH"]):
            return Obstacle(sentence=f"the program {program} is not installed", mend=f"apt install {package}")
    for name, (value, mend) in SWITCHES.items():
        if (kernel / name).exists() and (kernel / name).read_text().strip() == value:
            return Obstacle(sentence=f"the kernel's setting {name.replace('/', '.')} is {value}", mend=mend)
    user = _name(os.getuid())
    for file in ("subuid", "subgid"):
        text = (files / file).read_text() if (files / file).exists() else ""
        if (there := widest(text, [user, str(os.getuid())])) < IDS:
            return Obstacle(sentence=f"/etc/{file} gives {user} {there or 'no'} ids, and {IDS} are needed",
                            mend=mending(user, files))  # fmt: skip
    return _tried()


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def widest(text: str, names: Sequence[str]) -> int:
    """How many ids the widest range has that subuid(5) or subgid(5) gives one of these names."""
    return max((int(line[2]) for line in _lines(text) if line[0] in names), default=0)


def mending(user: str, files: Path = Path("/etc")) -> str:
    """The command that gives a user ids which nobody has."""
    texts = [(files / name).read_text() for name in ("subuid", "subgid") if (files / name).exists()]
    start = max((int(line[1]) + int(line[2]) for text in texts for line in _lines(text)), default=FIRST)
    wanted = f"{max(start, FIRST)}-{max(start, FIRST) + IDS - 1}"
    return f"usermod --add-subuids {wanted} --add-subgids {wanted} {user}"


def _lines(text: str) -> list[list[str]]:
    parts = (line.strip().split(":") for line in text.splitlines())
    return [line for line in parts if len(line) == 3 and line[1].isdigit() and line[2].isdigit()]


def _tried() -> Obstacle | None:
    """Really make the namespaces."""
    try:
        run(contained(["true"]), capture=True, time_limit=60)
    except ToolError as error:
        return Obstacle(sentence=str(error).rstrip("."), mend="Look at what unshare says; or run the engine with sudo.")
    return None
