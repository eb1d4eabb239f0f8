"""Tar streams that depend on nothing but what is in them: sorted, without names of users, with settled dates."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO

from composes.pipeline.container.content import Entry

BLOCK = 512
CHUNK = 1 << 20
END = bytes(2 * BLOCK)
LEFT_OUT = frozenset({"security.selinux"})  # a label is the matter of the host that runs it
LARGEST = 8**11 - 1  # bytes that a plain header can tell

Write = Callable[[bytes], object]


def with_folders(found: Iterable[Entry], folders: Mapping[str, Entry]) -> list[Entry]:
    """Some entries with every folder above them, by name."""
    names = {entry.name: entry for entry in found}
    for name in list(names):
        above = name.rpartition("/")[0]
        while above and above not in names:
            names[above] = folders[above]
            above = above.rpartition("/")[0]
    return [names[name] for name in sorted(names)]


def write(found: Iterable[Entry], to: Write, *, date: int) -> None:
    """A tar of the entries in their order: owners, modes, links of both kinds, extended attributes and capabilities.

    A file keeps its own date if that is before `date` (seconds since 1970): then a package has it. Everything else
    was made by composing, and would change a layer with each version: 1970. Device nodes and sockets are left out.
    """
    first: dict[tuple[int, int], str] = {}
    for entry in found:
        kind = stat.S_IFMT(entry.status.st_mode)
        if kind == stat.S_IFREG:
            key = (entry.status.st_dev, entry.status.st_ino)
            earlier = first.setdefault(key, entry.name) if entry.status.st_nlink > 1 else entry.name
            if earlier == entry.name:
                _file(entry, to, date)
            else:
                _header(entry, to, _date(entry, date), kind=tarfile.LNKTYPE, target=earlier)
        elif kind == stat.S_IFLNK:
            target = os.readlink(entry.source)  # noqa: PTH115 - many links
            _header(entry, to, _date(entry, date), kind=tarfile.SYMTYPE, target=target, more=_attributes(entry))
        elif kind == stat.S_IFDIR:
            _header(entry, to, 0, kind=tarfile.DIRTYPE, more=_attributes(entry))
    to(END)


def _date(entry: Entry, date: int) -> int:
    own = int(entry.status.st_mtime)
    return own if own < date else 0


def _file(entry: Entry, to: Write, date: int) -> None:
    size = entry.status.st_size
    _header(entry, to, _date(entry, date), kind=tarfile.REGTYPE, size=size, more=_attributes(entry))
    with os.fdopen(os.open(entry.source, os.O_RDONLY | os.O_NOFOLLOW), "rb", buffering=0) as file:
        for chunk in _exactly(file, size):
            to(chunk)
    to(bytes(-size % BLOCK))


def _exactly(file: IO[bytes], size: int) -> Iterator[bytes]:
    while size:
        chunk = file.read(min(size, CHUNK))
        if not chunk:
            raise OSError("A file of the tree became shorter while it was read.")
        size -= len(chunk)
        yield chunk


def _attributes(entry: Entry) -> dict[bytes, bytes]:
    names = sorted(set(os.listxattr(entry.source, follow_symlinks=False)) - LEFT_OUT)
    return {b"SCHILY.xattr." + os.fsencode(name): os.getxattr(entry.source, name, follow_symlinks=False)
            for name in names}  # fmt: skip


def _header(
    entry: Entry, to: Write, mtime: int, *, kind: bytes, size: int = 0, target: str = "",
    more: Mapping[bytes, bytes] | None = None,
) -> None:  # fmt: skip
    name = f"{entry.name}/" if kind == tarfile.DIRTYPE else entry.name
    records = dict(more or {})
    for key, text in ((b"path", name), (b"linkpath", target)):
        if len(encoded := os.fsencode(text)) > tarfile.LENGTH_NAME or not text.isascii():
            records[key] = encoded
    if size > LARGEST:
        records[b"size"] = str(size).encode()
    if records:
        extended = b"".join(_record(key, records[key]) for key in sorted(records))
        to(_plain("././@PaxHeader", kind=tarfile.XHDTYPE, size=len(extended)))
        to(extended + bytes(-len(extended) % BLOCK))
    to(_plain(name, kind=kind, size=min(size, LARGEST), target=target, mtime=mtime, status=entry.status))


def _plain(
    name: str, *, kind: bytes, size: int, target: str = "", mtime: int = 0, status: os.stat_result | None = None
) -> bytes:
    info = tarfile.TarInfo(_short(name))
    info.type, info.size, info.linkname, info.mtime = kind, size, _short(target), mtime
    if status:
        info.mode, info.uid, info.gid = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
    return info.tobuf(tarfile.USTAR_FORMAT)


def _short(text: str) -> str:
    """What fits into a plain header; the whole of it is in the extended one."""
    return text.encode("ascii", "replace")[: tarfile.LENGTH_NAME].decode()


def _record(key: bytes, value: bytes) -> bytes:
    """`LENGTH KEY=VALUE\\n`, where LENGTH counts its own digits."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + len(str(len(rest)))
    length = len(rest) + len(str(length))
    return str(length).encode() + rest
