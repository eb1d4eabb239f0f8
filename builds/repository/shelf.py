"""What a repository's indexes are made of, in pieces: whoever changes one entry compresses one piece again.

An index (`main/binary-amd64/Packages`) is entries in the order of their names. A name with a certain digest begins a
piece, so that pieces depend on what is in the index and on nothing else: neither on when it came, nor on what was there
before. The same entries give the same bytes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import Path

from builds.repository.blocks import Block, xz_block, zstd_frame

PIECE_ENTRIES = 256  # of a piece, about
LINES_PER_PIECE = 4096  # of a list of files
SCHEMA = """
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entry (
    part TEXT NOT NULL, name TEXT NOT NULL, rest TEXT NOT NULL, owner TEXT NOT NULL, text TEXT NOT NULL,
    begins INTEGER NOT NULL, PRIMARY KEY (part, name, rest));
CREATE INDEX IF NOT EXISTS entry_begins ON entry (part, name) WHERE begins;
CREATE INDEX IF NOT EXISTS entry_owner ON entry (owner);
CREATE TABLE IF NOT EXISTS owned (
    owner TEXT NOT NULL, list TEXT NOT NULL, PRIMARY KEY (owner, list)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS piece (
    part TEXT NOT NULL, begin TEXT NOT NULL, xz BLOB NOT NULL, unpadded INTEGER NOT NULL, size INTEGER NOT NULL,
    zstd BLOB NOT NULL, PRIMARY KEY (part, begin));
CREATE TABLE IF NOT EXISTS file (
    part TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (part, path));
CREATE TABLE IF NOT EXISTS patch (
    part TEXT NOT NULL, name TEXT NOT NULL, before TEXT NOT NULL, before_size INTEGER NOT NULL, sha256 TEXT NOT NULL,
    size INTEGER NOT NULL, packed TEXT NOT NULL, packed_size INTEGER NOT NULL, PRIMARY KEY (part, name));
CREATE TABLE IF NOT EXISTS named (
    path TEXT NOT NULL, sha256 TEXT NOT NULL, last_at REAL NOT NULL, PRIMARY KEY (path, sha256)) WITHOUT ROWID;
"""
PatchRow = tuple[str, str, int, str, int, str, int]


@dataclass(frozen=True)
class Entry:
    """One paragraph of Packages or Sources, or one line of Contents."""

    part: str  # of which index: `main/binary-amd64/Packages`
    name: str  # of the package, or the path of a file
    rest: str  # its place among those of the same name
    owner: str  # what it comes and goes with
    text: str


@dataclass(frozen=True)
class Piece:
    """A piece of an index in both compressions."""

    block: Block
    frame: bytes


class Shelf:
    """The entries and pieces of a repository, in a file of SQLite's; nothing holds before `kept` ends."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._base = sqlite3.connect(path, isolation_level=None)
        self._base.executescript(SCHEMA)
        self._changed: dict[str, set[str]] = {}

    @contextmanager
    def kept(self) -> Iterator[None]:
        """What changes inside is kept together when the block ends well, or not at all."""
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")

    def close(self) -> None:
        self._base.close()

    def fact(self, name: str) -> str:
        """What was noted under this name; empty where nothing was."""
        found = self._base.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return str(found[0]) if found else ""

    def note(self, name: str, value: str) -> None:
        self._base.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def clear(self) -> None:
        """No entry is left."""
        self._base.execute("DELETE FROM entry")
        self._base.execute("DELETE FROM owned")
        self._base.execute("DELETE FROM piece")
        self._base.execute("DELETE FROM file")
        self.forget_patches()
        self._changed.clear()

    def put(self, entries: Iterable[Entry]) -> None:
        """Add entries; one of the same name and place gives way."""
        rows, owned = [], set()
        for each in entries:
            owned.add((each.owner, each.part.rpartition("/")[2]))
            rows.append((each.part, each.name, each.rest, each.owner, each.text, begins(each.part, each.name)))
            self._changed.setdefault(each.part, set()).add(each.name)
        self._base.executemany("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._base.executemany("INSERT OR IGNORE INTO owned VALUES (?, ?)", owned)

    def remove(self, owners: Iterable[str]) -> None:
        """Let everything of these owners go."""
        for owner in owners:
            for part, name in self._base.execute("SELECT part, name FROM entry WHERE owner = ?", (owner,)):
                self._changed.setdefault(part, set()).add(name)
            self._base.execute("DELETE FROM entry WHERE owner = ?", (owner,))
            self._base.execute("DELETE FROM owned WHERE owner = ?", (owner,))

    def count(self, index: str) -> int:
        """How many owners have entries in indexes of this name."""
        return int(self._base.execute("SELECT count(*) FROM owned WHERE list = ?", (index,)).fetchone()[0])

    def parts(self) -> list[str]:
        """The indexes that have entries, found by jumping from one to the next: there are millions of entries."""
        found, last = [], ""
        while last := self._base.execute("SELECT min(part) FROM entry WHERE part > ?", (last,)).fetchone()[0] or "":
            found.append(last)
        return found

    def pieces(self, part: str) -> Iterator[Piece]:
        """The pieces of an index in order; what changed is compressed now."""
        self._refresh(part)
        rows = self._base.execute("SELECT xz, unpadded, size, zstd FROM piece WHERE part = ? ORDER BY begin", (part,))
        for xz, unpadded, size, zstd in rows:
            yield Piece(Block(xz, unpadded, size), zstd)

    def files(self, part: str) -> dict[str, tuple[str, int]]:
        """SHA-256 and bytes of what was written of an index that did not change since, by path; empty if it did."""
        if part in self._changed:
            return {}
        rows = self._base.execute("SELECT path, sha256, size FROM file WHERE part = ?", (part,))
        return {path: (digest, size) for path, digest, size in rows}

    def note_files(self, part: str, files: Mapping[str, tuple[str, int]]) -> None:
        self._base.execute("DELETE FROM file WHERE part = ?", (part,))
        self._base.executemany("INSERT INTO file VALUES (?, ?, ?, ?)",
                               [(part, path, digest, size) for path, (digest, size) in files.items()])  # fmt: skip

    # Patches

    def before(self, part: str) -> tuple[tuple[str, int] | None, list[bytes]]:
        """What was last written of an index: SHA-256 and bytes, and its frames; only before `pieces` is asked."""
        rows = self._base.execute("SELECT sha256, size FROM file WHERE part = ? AND path = ?", (part, part))
        frames = self._base.execute("SELECT zstd FROM piece WHERE part = ? ORDER BY begin", (part,))
        return rows.fetchone(), [frame for (frame,) in frames]

    def patches(self, part: str) -> list[PatchRow]:
        """Name; SHA-256 and bytes of what it is for, of itself, of itself compressed; the oldest first."""
        asked = "SELECT name, before, before_size, sha256, size, packed, packed_size FROM patch WHERE part = ?"
        return self._base.execute(f"{asked} ORDER BY name", (part,)).fetchall()

    def note_patches(self, part: str, rows: Iterable[PatchRow]) -> None:
        """These, as `patches` tells them, and no others."""
        self._base.execute("DELETE FROM patch WHERE part = ?", (part,))
        self._base.executemany("INSERT INTO patch VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [(part, *row) for row in rows])

    def forget_patches(self) -> None:
        self._base.execute("DELETE FROM patch")

    # Pieces

    def _refresh(self, part: str) -> None:
        changed = self._changed.pop(part, set())
        stale = {begin for name in changed for begin in (self._begin(part, name, "<="), self._begin(part, name, "<"))}
        stale |= {name for name in changed if begins(part, name)}
        self._base.executemany("DELETE FROM piece WHERE part = ? AND begin = ?", [(part, begin) for begin in stale])
        for begin in sorted(stale):
            if begin == "" or self._has(part, begin):
                self._compress(part, begin)

    def _begin(self, part: str, name: str, how: str) -> str:
        """Where the piece begins that has this name (`<=`), or what is just before it (`<`); empty: the first one."""
        asked = f"SELECT max(name) FROM entry WHERE part = ? AND begins AND name {how} ?"  # noqa: S608 - how is ours
        found = self._base.execute(asked, (part, name)).fetchone()[0]
        return str(found or "")

    def _has(self, part: str, name: str) -> bool:
        return bool(self._base.execute("SELECT 1 FROM entry WHERE part = ? AND name = ?", (part, name)).fetchone())

    def _compress(self, part: str, begin: str) -> None:
        asked = "SELECT min(name) FROM entry WHERE part = ? AND begins AND name > ?"
        end = self._base.execute(asked, (part, begin)).fetchone()[0]
        rows = self._base.execute(
            "SELECT name, text FROM entry WHERE part = ? AND name >= ? AND (? IS NULL OR name < ?) ORDER BY name, rest",
            (part, begin, end, end),
        )
        if content := b"".join(_rendered(part, rows)):
            block = xz_block(content)
            row = (part, begin, block.content, block.unpadded, block.size, zstd_frame(content))
            self._base.execute("INSERT OR REPLACE INTO piece VALUES (?, ?, ?, ?, ?, ?)", row)

    # Names by content

    def name(self, path: str, digest: str, now: float) -> None:
        """This folder's by-hash has this file from now on."""
        self._base.execute("INSERT OR REPLACE INTO named VALUES (?, ?, ?)", (path, digest, now))

    def names(self, since: float) -> list[tuple[str, str]]:
        """(folder, SHA-256) of what was current then, or came after; what was not is forgotten."""
        self._base.execute("DELETE FROM named WHERE last_at < ?", (since,))
        return self._base.execute("SELECT path, sha256 FROM named ORDER BY path, sha256").fetchall()


def is_contents(part: str) -> bool:
    return "/Contents-" in part


def begins(part: str, name: str) -> bool:
    """Whether what has this name begins a piece."""
    entries = LINES_PER_PIECE if is_contents(part) else PIECE_ENTRIES
    return int.from_bytes(sha256(name.encode()).digest()[:4]) % entries == 0


def _rendered(part: str, rows: Iterable[tuple[str, str]]) -> Iterator[bytes]:
    if is_contents(part):  # `path<tab>section/package,section/package`, one line for each path
        for path, same in groupby(rows, lambda row: row[0]):
            yield f"{path}\t{','.join(sorted({text for _, text in same}))}\n".encode()
    else:
        for _, text in rows:
            yield f"{text.rstrip()}\n\n".encode()
