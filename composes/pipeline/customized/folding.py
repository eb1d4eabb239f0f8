"""Customisations as a treefile says them: what is another key's matter goes there, the rest is checked."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from composes.pipeline.customized import firewall
from composes.pipeline.customized.schema import NO_COUNTERPART
from composes.pipeline.treefiles.marks import Text, place_of, prefix
from debatomic.tools.errors import InputError

ENDING = re.compile(r"\.(service|socket|timer|target|mount|automount|path|slice|swap)$")
SIZE = re.compile(r"([0-9]+) ?([kMGT]?)(i?)B?")
IN_THE_IMAGE = ("/etc/", "/usr/")
# What is a link into /var in the image: made on the machine, by systemd-tmpfiles.
ON_THE_MACHINE = {"/var": "/var", "/home": "/var/home", "/root": "/var/roothome", "/srv": "/var/srv",
                  "/opt": "/var/opt", "/mnt": "/var/mnt", "/usr/local": "/var/usrlocal"}  # fmt: skip
OURS = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/machine-id", "/etc/fstab", "/etc/hostname",
        "/etc/resolv.conf")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Folded:
    """Units and kernel arguments, the least root file system in bytes (0: none asked for), and what is left."""

    kargs: tuple[str, ...] = ()
    enable: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()
    mask: tuple[str, ...] = ()
    root_bytes: int = 0
    root_place: str = ""
    rest: dict[str, Any]


def fold(customizations: dict[str, Any]) -> Folded:
    """The parts of a treefile's merged customisations. Raises InputError with file and line."""
    rest = {key: value for key, value in customizations.items() if value}
    services = rest.pop("services", {})
    append = rest.pop("kernel", {}).get("append", "")
    sizes = [_size(each["minsize"]) for each in rest.get("filesystem", [])]
    place = next((place_of(each["mountpoint"]) for each in rest.pop("filesystem", [])), "")
    if "firewall" in rest:
        firewall.rules(rest["firewall"])
    for each in [*rest.get("files", []), *rest.get("directories", [])]:
        target(each["path"])
    enable = [*_units(services.get("enabled", ())), *(["nftables.service"] if "firewall" in rest else [])]
    return Folded(
        kargs=tuple(Text(word, place_of(append)) for word in append.split()), enable=tuple(enable),
        disable=tuple(_units(services.get("disabled", ()))), mask=tuple(_units(services.get("masked", ()))),
        root_bytes=max(sizes, default=0), root_place=place, rest=rest,
    )  # fmt: skip


def _units(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield name if ENDING.search(name) else Text(f"{name}.service", place_of(name))


def _size(said: int | str) -> int:
    if isinstance(said, int):
        return said
    match = SIZE.fullmatch(said)
    assert match, "the schema lets nothing else through"
    unit: int = 1024 if match[3] else 1000
    return math.prod([int(match[1]), *[unit] * (" kMGT".index(match[2]) if match[2] else 0)])


def target(path: str) -> tuple[str, bool]:
    """Where a path of a customisation lies in the end, and whether in the image; otherwise it is made at boot.

    Raises InputError for what is no place to customise.
    """
    if "//" in path or "/../" in f"{path}/" or "/./" in f"{path}/":
        raise InputError(f"{prefix(path)}{path} is not a plain path: it has //, . or .. in it.")
    if path in OURS:
        raise InputError(f"{prefix(path)}{path} is made by the compose.", hint="There is a key of its own for that.")
    for top in sorted(ON_THE_MACHINE, key=len, reverse=True):
        if path.startswith(f"{top}/"):
            return ON_THE_MACHINE[top] + path.removeprefix(top), False
    if path.startswith(IN_THE_IMAGE):
        return path, True
    raise InputError(f"{prefix(path)}{path} is in no place that lasts: only below /etc, /usr, /var, /home, /root, /srv "
                     "and /opt.")  # fmt: skip


def refuse(content: Any) -> None:
    """Raises InputError for a customisation of blueprints that has no counterpart, by its name and with its line."""
    for key, value in content.items() if isinstance(content, dict) else ():
        if key == "customizations" and isinstance(value, dict):
            for name, reason in ((each, NO_COUNTERPART[each]) for each in value if each in NO_COUNTERPART):
                raise InputError(f"{prefix(name)}customizations.{name} has no counterpart here: {reason}.")
            if isinstance(value.get("firewall"), dict) and "zones" in value["firewall"]:
                zones = next(each for each in value["firewall"] if each == "zones")
                raise InputError(f"{prefix(zones)}customizations.firewall.zones has no counterpart here: nftables has "
                                 "no zones; put a rule set of your own into files.")  # fmt: skip
    for each in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        refuse(each)
