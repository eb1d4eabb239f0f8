"""Customisations as files of a tree. Everything here works with the tree as its root folder (`inside`)."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from composes.pipeline.customized import firewall
from composes.pipeline.customized.folding import target
from composes.pipeline.treefiles.marks import prefix
from debatomic.tools.errors import InputError

TMPFILES = "usr/lib/tmpfiles.d/debatomic-customizations.conf"
NTP = "usr/lib/systemd/timesyncd.conf.d/10-debatomic.conf"
KEYBOARD = 'XKBMODEL="pc105"\nXKBLAYOUT="{layout}"\nXKBVARIANT="{variant}"\nXKBOPTIONS=""\nBACKSPACE="guess"\n'


def write(root: Path, said: Mapping[str, Any]) -> None:
    """All that needs no user and no program. Raises InputError with the line of what the tree has no package for."""
    _timezone(root, said.get("timezone", {}))
    _locale(root, said.get("locale", {}))
    if "firewall" in said:
        require(root, "usr/sbin/nft", "nftables", next(iter(said["firewall"]), ""), "firewall")
        put(root / "etc/nftables.conf", firewall.rules(said["firewall"]), mode=0o755)
    for each in said.get("directories", []):
        path, in_image = target(each["path"])
        if in_image:
            _folder(root, path, each)
    for each in said.get("files", []):
        path, in_image = target(each["path"])
        if in_image:
            _file(root, path, each)
    _tmpfiles(root, said)


def _timezone(root: Path, said: Mapping[str, Any]) -> None:
    if zone := said.get("timezone"):
        if not (root / "usr/share/zoneinfo" / zone).is_file():
            raise InputError(f"{prefix(zone)}there is no time zone {zone} in the tree.",
                             hint="Is tzdata among packages? Old names are in tzdata-legacy.")  # fmt: skip
        link = root / "etc/localtime"
        link.unlink(missing_ok=True)
        link.symlink_to(f"/usr/share/zoneinfo/{zone}")
        if (root / "etc/timezone").exists():
            put(root / "etc/timezone", f"{zone}\n")
    if servers := said.get("ntpservers"):
        require(root, "usr/lib/systemd/systemd-timesyncd", "systemd-timesyncd", servers[0], "ntpservers")
        put(root / NTP, f"[Time]\nNTP={' '.join(servers)}\n")


def _locale(root: Path, said: Mapping[str, Any]) -> None:
    if languages := said.get("languages"):
        text = f"LANG={languages[0]}\n"
        put(root / "etc/locale.conf", text)
        if (root / "etc/default").is_dir() and not (root / "etc/default/locale").is_symlink():
            put(root / "etc/default/locale", text)
        _generated(root, [each for each in languages if each != "C.UTF-8"])
    if keyboard := said.get("keyboard"):
        layout, _, variant = keyboard.partition("-")
        put(root / "etc/vconsole.conf", f"KEYMAP={keyboard}\n")
        put(root / "etc/default/keyboard", KEYBOARD.format(layout=layout, variant=variant))


def _generated(root: Path, languages: list[str]) -> None:
    """Have locale-gen make them: it reads /etc/locale.gen."""
    if not languages:
        return
    require(root, "usr/sbin/locale-gen", "locales", languages[0], "languages")
    supported = {line.split()[0]: line for line in (root / "usr/share/i18n/SUPPORTED").read_text().splitlines() if line}
    for each in languages:
        if each not in supported:
            raise InputError(f"{prefix(each)}there is no locale {each}.", hint="de_DE.UTF-8 is one.")
    put(root / "etc/locale.gen", "".join(f"{supported[each]}\n" for each in languages))


def require(root: Path, program: str, package: str, where: object, key: str) -> None:
    """Raises InputError where the tree lacks the program that a customisation is for."""
    if not (root / program).exists():
        raise InputError(f"{prefix(where)}customizations.{key} needs the package {package}.",
                         hint=f"Add {package} to packages.")  # fmt: skip


def _folder(root: Path, path: str, said: Mapping[str, Any]) -> None:
    folder = root / path.lstrip("/")
    if not folder.parent.is_dir() and not said.get("ensure_parents"):
        raise InputError(f"{prefix(said['path'])}{path} has no folder to be in.", hint="Say ensure_parents: true.")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(int(said.get("mode", "0755"), 8))


def _file(root: Path, path: str, said: Mapping[str, Any]) -> None:
    place = root / path.lstrip("/")
    if place.is_dir():
        raise InputError(f"{prefix(said['path'])}{path} is a folder in the tree.")
    if place.is_symlink():
        place.unlink()
    put(place, said.get("data", ""), mode=int(said.get("mode", "0644"), 8))


def _tmpfiles(root: Path, said: Mapping[str, Any]) -> None:
    """What is below /var: made when the machine boots, if it is not there."""
    lines = []
    for kind, standard in (("directories", "0755"), ("files", "0644")):
        for each in said.get(kind, []):
            path, in_image = target(each["path"])
            if not in_image:
                lines.append(_line("d" if kind == "directories" else "f~", path, each, standard))
    add_lines(root, lines)


def _line(kind: str, path: str, said: Mapping[str, Any], standard: str) -> str:
    data = base64.b64encode(said.get("data", "").encode()).decode() or "-"
    name = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    owners = f"{said.get('user', 'root')} {said.get('group', 'root')}"
    return f'{kind} "{name}" {said.get("mode", standard)} {owners} - {data if kind != "d" else "-"}'


def add_lines(root: Path, lines: Iterable[str]) -> None:
    """More lines for systemd-tmpfiles."""
    path = root / TMPFILES
    old = path.read_text().splitlines() if path.exists() else ["# what the treefile's customizations put into /var"]
    new = [*old, *lines]
    if len(new) > 1:
        put(path, "\n".join(new) + "\n")


def own(root: Path, said: Mapping[str, Any]) -> None:
    """Files and folders to their users and groups, who are there by now. Raises InputError for who is not."""
    for each in [*said.get("files", []), *said.get("directories", [])]:
        path, in_image = target(each["path"])
        if in_image and ("user" in each or "group" in each):
            try:
                shutil.chown(root / path.lstrip("/"), each.get("user", 0), each.get("group", 0))
            except LookupError as error:
                raise InputError(f"{prefix(each['path'])}{path}: {error}.") from error
            place = root / path.lstrip("/")
            place.chmod(int(each.get("mode", "0755" if place.is_dir() else "0644"), 8))  # chown takes bits away


def name_machine(root: Path, hostname: str) -> None:
    put(root / "etc/hostname", f"{hostname}\n")


def put(path: Path, text: str, mode: int = 0o644) -> None:
    """A file with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.chmod(path, mode)  # noqa: PTH101 - the same
