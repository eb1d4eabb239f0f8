"""The rules of `bootc container lint` and some of our own, for a root folder.

Rules and levels: bootc, crates/lib/src/lints.rs (version 1.16).
"""

from __future__ import annotations

import configparser
import os
import stat
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from composes.pipeline.system.accounts import sysusers

API_FOLDERS = ("dev", "proc", "sys", "run", "tmp", "var")
ENABLED = ("signed", "verity", "yes", "true", "1", "maybe")
Rule = Callable[[Path], Iterator[str]]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one rule found; `fatal` findings stop the compose."""

    rule: str
    fatal: bool
    details: tuple[str, ...]


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except OSError:
        return 0


def api_base_directories(root: Path) -> Iterator[str]:
    yield from (f"/{name} is not a folder" for name in API_FOLDERS if not stat.S_ISDIR(_mode(root / name)))


def baseimage_composefs(root: Path) -> Iterator[str]:
    for folder in ("etc", "usr/lib"):
        path = root / folder / "ostree/prepare-root.conf"
        if path.exists():
            parser = configparser.ConfigParser(strict=False, interpolation=None)
            parser.read(path)
            enabled = parser.get("composefs", "enabled", fallback="no").strip() in ENABLED
            transient = parser.get("root", "transient", fallback="no").strip() in ("true", "yes", "1")
            if not enabled and not transient:
                yield f"/{folder}/ostree/prepare-root.conf does not enable composefs"
            return
    yield "ostree/prepare-root.conf is missing"


def baseimage_root(root: Path) -> Iterator[str]:
    if not stat.S_ISDIR(_mode(root / "sysroot")):
        yield "/sysroot is not a folder"
    link = root / "ostree"
    if not link.is_symlink() or str(link.readlink()) != "sysroot/ostree":
        yield "/ostree is not a link to sysroot/ostree"


def bootc_kargs(root: Path) -> Iterator[str]:
    for path in sorted((root / "usr/lib/bootc/kargs.d").glob("*.toml")):
        try:
            content = tomllib.loads(path.read_text())
        except ValueError as error:
            yield f"{path.name}: {error}"
            continue
        lists = [content.get("kargs"), content.get("match-architectures", [])]
        texts = all(isinstance(each, list) and all(isinstance(item, str) for item in each) for each in lists)
        if not texts or content.keys() - {"kargs", "match-architectures"}:
            yield f"{path.name}: only kargs and match-architectures, as lists of texts"


def buildah_injected(root: Path) -> Iterator[str]:
    for name in ("hostname", "resolv.conf"):
        path = root / "etc" / name
        if stat.S_ISREG(_mode(path)) and path.stat().st_size == 0:
            yield f"/etc/{name} is an empty file"


def etc_usretc(root: Path) -> Iterator[str]:
    if _mode(root / "etc") and _mode(root / "usr/etc"):
        yield "both /etc and /usr/etc exist"


def kernel(root: Path) -> Iterator[str]:
    found = sorted(path.parent.name for path in (root / "usr/lib/modules").glob("*/vmlinuz"))
    if len(found) > 1:
        yield f"more than one kernel: {', '.join(found)}"


def nonempty_boot(root: Path) -> Iterator[str]:
    if not stat.S_ISDIR(_mode(root / "boot")):
        yield "/boot is missing"
        return
    yield from (f"/boot/{path.name}" for path in (root / "boot").iterdir() if path.name != "EFI")


def nonempty_run_tmp(root: Path) -> Iterator[str]:
    yield from (f"/{name}/{path.name}" for name in ("run", "tmp") for path in (root / name).iterdir())


def unknown_users(root: Path) -> Iterator[str]:
    users, groups = sysusers(root)
    for name, known in (("passwd", users), ("group", groups)):
        for line in (root / "etc" / name).read_text().splitlines():
            if line and line.split(":")[0] not in known:
                yield f"{line.split(':')[0]} of /etc/{name} is in no sysusers.d"


def utf8(root: Path) -> Iterator[str]:
    for top, folders, files in os.walk(os.fsencode(root)):
        for name in (*folders, *files):
            path = os.path.join(top, name)  # noqa: PTH118 - bytes
            if not _is_utf8(name):
                yield f"the name {path!r} is not UTF-8"
            elif os.path.islink(path) and not _is_utf8(os.readlink(path)):  # noqa: PTH114, PTH115 - bytes
                yield f"the link {path!r} leads to a name that is not UTF-8"


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def var_log(root: Path) -> Iterator[str]:
    for path in (root / "var/log").rglob("*"):
        if stat.S_ISREG(_mode(path)) and path.stat().st_size:
            yield f"/{path.relative_to(root)} is not empty"


def var_run(root: Path) -> Iterator[str]:
    if (mode := _mode(root / "var/run")) and not stat.S_ISLNK(mode):
        yield "/var/run is not a link"


def bootable(root: Path) -> Iterator[str]:
    found = list((root / "usr/lib/modules").glob("*/vmlinuz"))
    if not found:
        yield "there is no kernel in /usr/lib/modules"
    for path in found:
        if not (path.parent / "initramfs.img").exists() or (path.parent / "initramfs.img").stat().st_size < 1 << 20:
            yield f"the initramfs of {path.parent.name} is missing or next to nothing"


def one_machine(root: Path) -> Iterator[str]:
    identity = root / "etc/machine-id"
    if identity.exists() and identity.read_text().strip() not in ("", "uninitialized"):
        yield "/etc/machine-id holds the identity of one machine"
    yield from (f"/etc/ssh/{path.name} is the key of one machine" for path in (root / "etc/ssh").glob("ssh_host_*_key"))


RULES: tuple[tuple[str, bool, Rule], ...] = (
    ("api-base-directories", True, api_base_directories),
    ("baseimage-composefs", False, baseimage_composefs),
    ("baseimage-root", True, baseimage_root),
    ("bootc-kargs", True, bootc_kargs),
    ("buildah-injected", False, buildah_injected),
    ("etc-usretc", True, etc_usretc),
    ("kernel", True, kernel),
    ("nonempty-boot", False, nonempty_boot),
    ("nonempty-run-tmp", False, nonempty_run_tmp),
    ("sysusers", False, unknown_users),
    ("utf8", True, utf8),
    ("var-log", False, var_log),
    ("var-run", True, var_run),
    ("debatomic-bootable", True, bootable),
    ("debatomic-one-machine", True, one_machine),
)


def lint(root: Path) -> list[Finding]:
    """What is wrong with a tree; an empty list is good news."""
    found = ((name, fatal, tuple(rule(root))) for name, fatal, rule in RULES)
    return [Finding(rule=name, fatal=fatal, details=details) for name, fatal, details in found if details]
