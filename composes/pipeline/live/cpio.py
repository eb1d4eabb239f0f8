"""A second initramfs as the kernel reads it: a cpio archive in the "newc" format, the same for the same content.

Format: Documentation/driver-api/early-userspace/buffer-format.rst of Linux.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

TRAILER = "TRAILER!!!"


@dataclass(frozen=True, kw_only=True)
class Member:
    """A file, or a symbolic link where `mode` says so; `name` is relative to the root folder."""

    name: str
    content: bytes
    mode: int = stat.S_IFREG | 0o644


def link(name: str, target: str) -> Member:
    return Member(name=name, content=target.encode(), mode=stat.S_IFLNK | 0o777)


def program(name: str, content: bytes) -> Member:
    return Member(name=name, content=content, mode=stat.S_IFREG | 0o755)


def archive(members: Iterable[Member]) -> bytes:
    """The archive: folders come before what they hold, everything belongs to root and has no date."""
    found = {each.name: each for each in members}
    folders = {str(above) for name in found for above in PurePosixPath(name).parents if str(above) != "."}
    entries = [Member(name=name, content=b"", mode=stat.S_IFDIR | 0o755) for name in sorted(folders)]
    entries += [found[name] for name in sorted(found)]
    packed = b"".join(_entry(number, each) for number, each in enumerate(entries, 1))
    return packed + _entry(0, Member(name=TRAILER, content=b"", mode=0))


def _entry(number: int, member: Member) -> bytes:
    name = member.name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(member.mode) else 1
    fields = (number, member.mode, 0, 0, links, 0, len(member.content), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % each for each in fields)
    return _padded(head + name) + _padded(member.content)


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 4)
