"""What a tree holds, and which package each file belongs to: dpkg's word, as far as it goes."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

RECORDS = "usr/lib/sysimage"
DPKG = f"{RECORDS}/dpkg"
MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")  # links into /usr
# Large files that a package's script makes of what the package has.
MADE_OF = {"usr/lib/udev/hwdb.bin": "usr/lib/udev/hwdb.d/20-pci-vendor-model.hwdb",
           "etc/ssl/certs/ca-certificates.crt": "usr/sbin/update-ca-certificates"}  # fmt: skip
COMPILED = re.compile(r"^(?P<folder>.*/)__pycache__/(?P<name>[^/]+)\.cpython-[^/]+\.pyc$")
MODULES = re.compile(r"^usr/lib/modules/(?P<version>[^/]+)/")

# What no package has, in layers of their own because each changes with every version.
INITRAMFS, DATABASE, FILES = "@initramfs", "@records", "@files"
OWN_LAYERS = (INITRAMFS, DATABASE, FILES)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One name of a tree: `name` is its path in the container, `source` where it lies now."""

    name: str
    source: str
    status: os.stat_result


def entries(tree: Path) -> Iterator[Entry]:
    """Everything below a tree by name, folders before what is in them; links are not followed.

    /usr/etc, where OSTree wants it, is the container's /etc.
    """
    yield from sorted(_below(os.fspath(tree), ""), key=lambda entry: entry.name)


def _below(folder: str, above: str) -> Iterator[Entry]:
    with os.scandir(folder) as found:
        for each in found:
            name = f"{above}{each.name}"
            shown = "etc" if name == "usr/etc" else name
            yield Entry(name=shown, source=each.path, status=each.stat(follow_symlinks=False))
            if each.is_dir(follow_symlinks=False):
                yield from _below(each.path, f"{shown}/")


def file_lists(root: Path) -> dict[str, str]:
    """The package of each path that dpkg's lists name; to be called inside of the tree."""
    owners: dict[str, str] = {}
    for path in sorted((root / DPKG / "info").glob("*.list")):
        package = path.name.removesuffix(".list").partition(":")[0]
        for line in path.read_text(errors="surrogateescape").splitlines():
            owners.setdefault(_merged(line.lstrip("/")), package)
    return owners


def _merged(name: str) -> str:
    return f"usr/{name}" if name.partition("/")[0] in MERGED else name


def component(name: str, owners: Mapping[str, str]) -> str:
    """The package a file goes with, or one of `OWN_LAYERS`."""
    if package := owners.get(MADE_OF.get(name, name)):
        return package
    if compiled := COMPILED.match(name):
        return owners.get(f"{compiled['folder']}{compiled['name']}.py", FILES)
    if name.startswith(f"{RECORDS}/"):
        return DATABASE
    if modules := MODULES.match(name):
        kernel = owners.get(f"boot/vmlinuz-{modules['version']}", FILES)
        return INITRAMFS if name.endswith("/initramfs.img") else kernel
    return FILES


def components(found: Iterable[Entry], owners: Mapping[str, str]) -> dict[str, list[Entry]]:
    """The entries by component, without folders that have something in them: they come with what is in them.

    All names of one file are together, whoever owns them, because a hard link cannot lead into another layer.
    """
    listed = list(found)
    above = {entry.name.rpartition("/")[0] for entry in listed}
    result: dict[str, list[Entry]] = {}
    first: dict[tuple[int, int], str] = {}
    for entry in listed:
        if stat.S_ISDIR(entry.status.st_mode) and entry.name in above:
            continue
        owner = component(entry.name, owners)
        if stat.S_ISREG(entry.status.st_mode) and entry.status.st_nlink > 1:
            owner = first.setdefault((entry.status.st_dev, entry.status.st_ino), owner)
        result.setdefault(owner, []).append(entry)
    return result


def size(found: list[Entry]) -> int:
    """Bytes of the files among some entries."""
    return sum(entry.status.st_size for entry in found if stat.S_ISREG(entry.status.st_mode))
