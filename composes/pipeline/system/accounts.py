"""Users and groups of a tree: who there is, and the sysusers.d lines that make them the same everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def write_sysusers(root: Path) -> None:
    """A sysusers.d line for each user and group that packages made without one: they must be the same everywhere."""
    users, groups = sysusers(root)
    lines = [f"g {name} {number} -" for name, number in numbers(root, "group") if name not in groups]
    for row in _rows(root, "passwd"):
        name, _, number, group, comment, home, shell = row
        if name not in users:
            text = comment.replace('"', "").rstrip(",")
            lines.append(f'u {name} {number}:{group} "{text}" {home} {shell}')
    if lines:
        text = "\n".join(["# users and groups made by packages", *lines])
        path = root / "usr/lib/sysusers.d/debatomic.conf"
        path.write_text(f"{text}\n")
        path.chmod(0o644)


def sysusers(root: Path) -> tuple[set[str], set[str]]:
    """The users and groups that /usr/lib/sysusers.d names."""
    users: set[str] = set()
    groups: set[str] = set()
    for line in configuration_lines(root / "usr/lib/sysusers.d"):
        kind, name, *more = line.split()[:3] if len(line.split()) > 1 else ("", "")
        if kind.rstrip("!+") == "u":
            users.add(name)
            if ":" not in "".join(more):
                groups.add(name)
        elif kind.rstrip("!+") == "g":
            groups.add(name)
    return users, groups


def configuration_lines(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*.conf")):
        yield from (line for line in path.read_text(errors="replace").splitlines() if line and not line.startswith("#"))


def _rows(root: Path, name: str) -> list[list[str]]:
    return [line.split(":") for line in (root / "etc" / name).read_text().splitlines() if line.count(":") >= 3]


def numbers(root: Path, name: str) -> list[tuple[str, int]]:
    return [(row[0], int(row[2])) for row in _rows(root, name)]
