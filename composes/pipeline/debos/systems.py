"""Actions that make a tree: bootstrap, packages, files, commands."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from composes.pipeline.customized import folding
from composes.pipeline.debos.taken import Action, Taken
from composes.pipeline.treefiles.beside import within
from composes.pipeline.treefiles.marks import Text, place_of
from debatomic.tools.errors import InputError
from debatomic.tools.files import sha256

UNIT_COMMAND = re.compile(
    r"(?:sudo )?systemctl (?:--quiet |--no-reload )*(enable|disable|mask)((?: [A-Za-z0-9:_.@\\-]+)+)"
)
HOSTNAME = re.compile(r"""echo ["']?([A-Za-z0-9.-]+)["']? >\s*(?:\$\{?ROOTDIR\}?)?/etc/hostname""")
WANTS = re.compile(r"/[^/]+\.(wants|requires)$")
OURS = re.compile(r"grub-(efi|pc|common|cloud)|initramfs-tools|systemd-boot")
MAX_BYTES = 100_000


def debootstrap(taken: Taken, action: Action) -> None:
    _suite(taken, action)
    mirror = action.text("mirror")
    if mirror:
        taken.leave(mirror, f"the mirror {mirror} is the host's matter: --mirror, or DEBATOMIC_MIRROR.")
    if action.text("variant") not in ("", "minbase"):
        taken.leave(action.text("variant"), "a variant has no counterpart: a tree begins as minbase does.")
    action.ignore("check-gpg", "merged-usr", "keyring-package", "keyring-file")


def mmdebstrap(taken: Taken, action: Action) -> None:
    _suite(taken, action)
    for mirror in action.items("mirrors"):
        taken.leave(mirror, f"the mirror {mirror} is the host's matter: --mirror, or DEBATOMIC_MIRROR.")
    if action.text("variant") not in ("", "minbase", "essential", "apt", "required"):
        taken.leave(action.text("variant"), "a variant has no counterpart: a tree begins as minbase does.")
    _packages(taken, action.items("include"))
    action.ignore("keyring-packages", "keyring-files", "dpkgopts", "aptopts")


def _suite(taken: Taken, action: Action) -> None:
    suite = action.text("suite")
    if not suite:
        raise InputError(f"{action.place}the action {action.name} lacks the key suite.")
    taken.treefile["suite"] = suite
    if components := action.items("components"):
        taken.treefile["components"] = components


def apt(taken: Taken, action: Action) -> None:
    _packages(taken, action.items("packages"))
    if action.flag("recommends"):
        taken.treefile["recommends"] = True
    if action.flag("unauthenticated"):
        taken.leave(
            action.said["action"], "unauthenticated has no counterpart: every package comes from a signed archive."
        )
    action.ignore("update")


def _packages(taken: Taken, names: list[Any]) -> None:
    for each in names:
        name, mark, rest = _parted(str(each))
        if OURS.match(name):
            taken.leave(each, f"{name} is left out: dracut makes the initramfs, and images get their boot loader.")
            continue
        if mark:
            taken.leave(each, f"{mark}{rest} of {name} has no counterpart: a lock or a snapshot fixes versions.")
        taken.add("packages", items=[Text(name, place_of(each))])


def _parted(word: str) -> tuple[str, str, str]:
    match = re.match(r"([^=/:]+)(?:([=/:])(.*))?$", word)
    return (match[1], match[2] or "", match[3] or "") if match else (word, "", "")


def install_deb(taken: Taken, action: Action) -> None:
    if action.text("origin", "recipe") != "recipe":
        taken.leave(action.said["action"], "the action install-deb has a counterpart only for files beside the recipe.")
        return
    for name in action.items("packages"):
        path = within(taken.folder, name, taken.folder)
        taken.add("debs", items=[{"file": name, "sha256": sha256(path)}])
        taken.add("packages", items=[path.name.split("_")[0]])
    action.ignore("recommends", "update", "unauthenticated")


def overlay(taken: Taken, action: Action) -> None:
    source, origin = action.text("source"), action.text("origin", "recipe")
    top = (taken.folder / source).resolve()
    if origin != "recipe" or not top.is_relative_to(taken.folder) or not top.is_dir():
        raise InputError(f"{action.key_place('source')}overlay: there is no folder {source} beside the recipe.")
    target = "/" + action.text("destination", "/").strip("/")
    for path in _below(top):
        name = os.path.join(target, path.relative_to(top))  # noqa: PTH118 - a path of the tree
        _overlaid(taken, path, name, action)


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)
        else:
            yield path


def _overlaid(taken: Taken, path: Path, name: str, action: Action) -> None:
    """One file of an overlay: a file of the customisations, or a unit that is enabled by its link."""
    where = action.said.get("source", action.said["action"])
    if path.is_symlink():
        if WANTS.search(os.path.dirname(name)):  # noqa: PTH120 - a path of the tree
            taken.add("units", "enable", items=[Text(path.name, place_of(where))])
        elif str(path.readlink()) == "/dev/null" and "/systemd/system/" in name:
            taken.add("units", "mask", items=[Text(path.name, place_of(where))])
        else:
            taken.leave(where, f"the link {name} of the overlay has no counterpart.")
        return
    try:
        folding.target(name)
        data = path.read_bytes()[: MAX_BYTES + 1].decode()
    except (InputError, UnicodeDecodeError) as error:
        reason = error.args[0] if isinstance(error, InputError) else "it is no text"
        taken.leave(where, f"the file {name} of the overlay has no counterpart: {str(reason).rstrip('.')}.")
        return
    if len(data) > MAX_BYTES or "\0" in data:
        taken.leave(where, f"the file {name} of the overlay has no counterpart: it is too large, or no text.")
        return
    mode = "0755" if path.stat().st_mode & stat.S_IXUSR else "0644"
    file = {"path": Text(name, place_of(where)), "mode": mode, "data": data}
    taken.add("customizations", "files", items=[file])


def run(taken: Taken, action: Action) -> None:
    """The few commands that say what a treefile can; any other is named."""
    script, command, in_tree = action.text("script"), action.text("command"), action.flag("chroot")
    action.ignore("postprocess", "label")
    lines = [part.strip() for line in command.splitlines() for part in re.split(r"&&|;", line) if part.strip()]
    found = [_understood(line, in_tree=in_tree) for line in lines]
    if script or not lines or not all(found):
        first = (script or next((line for line, one in zip(lines, found, strict=True) if not one), "")).strip()
        taken.leave(action.said.get("script") or action.said.get("command") or action.said["action"],
                    f"run has no counterpart: {first[:80]}")  # fmt: skip
        return
    for kind, words in (each for each in found if each):
        if kind == "hostname":
            taken.treefile.setdefault("customizations", {})["hostname"] = words[0]
        else:
            units = [word if folding.ENDING.search(word) else f"{word}.service" for word in words]
            taken.add("units", kind, items=[Text(each, action.place.rstrip(": ")) for each in units])


def _understood(line: str, *, in_tree: bool) -> tuple[str, list[str]] | None:
    if match := HOSTNAME.fullmatch(line):
        return "hostname", [match[1]]
    match = UNIT_COMMAND.fullmatch(line)
    return (match[1], match[2].split()) if match and in_tree else None
