"""Users and groups of the customisations: as lines of sysusers.d, so that they are the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from composes.pipeline.customized.folding import ON_THE_MACHINE
from composes.pipeline.customized.writing import add_lines, put
from composes.pipeline.treefiles.marks import prefix
from debatomic.tools.errors import InputError

SYSUSERS = "usr/lib/sysusers.d/debatomic-customizations.conf"
KEYS = "usr/lib/debatomic/authorized_keys"
SSHD = "etc/ssh/sshd_config.d/40-debatomic-keys.conf"
SSHD_LINE = "AuthorizedKeysFile .ssh/authorized_keys /usr/lib/debatomic/authorized_keys/%u\n"
FIRST, LAST = 1000, 60000
SKELETON = "etc/skel"


def write(root: Path, said: Mapping[str, Any]) -> list[list[str]]:
    """The lines and keys of users and groups; returns the commands to be run in the tree, in this order."""
    users, known = said.get("user", []), _known(root, "passwd")
    groups = _known(root, "group")
    new = [each for each in users if each["name"] not in known]
    numbers = _numbers(new, set(known.values()))
    lines = [f"g {each['name']} {each.get('gid', '-')}" for each in said.get("group", []) if each["name"] not in groups]
    lines += [line for each in new for line in _user(each, numbers[each["name"]], root)]
    lines += [f"m {each['name']} {group}" for each in users for group in each.get("groups", [])]
    _check_groups(said, {*groups, *(each["name"] for each in said.get("group", []))})
    add_lines(root, [line for each in new for line in _home(root, each)])
    _keys(root, said)
    if not lines:
        return _commands(users)
    put(root / SYSUSERS, "\n".join(["# users and groups of the treefile's customizations", *lines]) + "\n")
    return [["systemd-sysusers", f"/{SYSUSERS}"], *_commands(users)]


def _known(root: Path, name: str) -> dict[str, int]:
    rows = (line.split(":") for line in (root / "etc" / name).read_text().splitlines())
    return {row[0]: int(row[2]) for row in rows if len(row) > 3}


def _numbers(users: list[dict[str, Any]], taken: set[int]) -> dict[str, int]:
    """Those that are said, and the next free ones from 1000 for the others. Raises InputError for one given twice."""
    found: dict[str, int] = {}
    for each in users:
        if "uid" in each:
            if each["uid"] in taken:
                raise InputError(f"{prefix(each['name'])}user {each['name']}: the uid {each['uid']} is taken.")
            found[each["name"]] = each["uid"]
            taken.add(each["uid"])
    for each in users:
        if "uid" not in each:
            found[each["name"]] = next(number for number in range(FIRST, LAST) if number not in taken)
            taken.add(found[each["name"]])
    return found


def _user(said: Mapping[str, Any], number: int, root: Path) -> list[str]:
    shell = said.get("shell", "/bin/bash")
    if not (root / shell.lstrip("/")).exists():
        raise InputError(f"{prefix(said['name'])}user {said['name']}: there is no shell {shell} in the tree.")
    ids = f"{number}:{said['gid']}" if "gid" in said else str(number)
    return [f'u {said["name"]} {ids} "{said.get("description", "")}" {home(said)} {shell}']


def home(said: Mapping[str, Any]) -> str:
    """The home folder: what is a link to /var in the image is named as it is there."""
    path = str(said.get("home", f"/var/home/{said['name']}"))
    top = next((top for top in ON_THE_MACHINE if path.startswith(f"{top}/")), "")
    return ON_THE_MACHINE[top] + path.removeprefix(top) if top else path


def _home(root: Path, said: Mapping[str, Any]) -> list[str]:
    """The lines for systemd-tmpfiles that make a home folder as adduser does."""
    name, place = said["name"], home(said)
    group = said.get("gid", name)
    skeleton = sorted(path.name for path in (root / SKELETON).glob("*") if path.is_file())
    skeleton += sorted(path.name for path in (root / SKELETON).glob(".*") if path.is_file())
    files = dict.fromkeys(skeleton)
    return [f"d {place} 0700 {name} {group} - -",
            *(f"C {place}/{file} 0644 {name} {group} - /{SKELETON}/{file}" for file in files)]  # fmt: skip


def _check_groups(said: Mapping[str, Any], known: set[str]) -> None:
    """sysusers would make a group that nobody meant."""
    for each in said.get("user", []):
        for group in each.get("groups", []):
            if group not in known:
                raise InputError(f"{prefix(group)}user {each['name']}: there is no group {group}.",
                                 hint="Name it in customizations.group, or is its package missing?")  # fmt: skip


def _keys(root: Path, said: Mapping[str, Any]) -> None:
    """SSH keys: in the image, so that a new image can take one away again; the user's own file counts besides."""
    keys = [(each["name"], each["key"]) for each in said.get("user", []) if "key" in each]
    keys += [(each["user"], each["key"]) for each in said.get("sshkey", [])]
    by_name: dict[str, str] = {}
    for name, key in keys:
        by_name[name] = by_name.get(name, "") + key.strip() + "\n"
    for name, text in by_name.items():
        put(root / KEYS / name, text)
    if by_name:
        put(root / SSHD, SSHD_LINE)


def _commands(users: list[dict[str, Any]]) -> list[list[str]]:
    commands = []
    for each in users:
        options = [f"--password={each['password']}"] if "password" in each else []
        options += [f"--expiredate={each['expiredate']}"] if "expiredate" in each else []
        commands += [["usermod", *options, each["name"]]] if options else []
        commands += [["chage", "--lastday=0", each["name"]]] if each.get("force_password_reset") else []
    return commands
