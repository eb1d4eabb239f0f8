"""Patches of package lists (pdiffs), for clients that have the list of an older snapshot.

    PART.diff/NAME.gz    an ed script, from the list before the snapshot NAME to that of it
    PART.diff/Index      for which list each of them is, and how it ends

A patch is made of the pieces that changed; of the others only lines are counted. Source of the format:
wiki.debian.org/DebianRepository/Format, "Packages.diff/Index".
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from hashlib import sha256
from pathlib import Path

import zstandard

from builds.repository.shelf import PatchRow, Shelf

KEPT = 48  # patches of a list, at most; together they are never larger than the list
Content = tuple[str, int]  # SHA-256, bytes


@dataclass(frozen=True)
class Patch:
    """A patch of one list: for which content it is, and its own, as it is and compressed."""

    name: str
    before: str
    before_size: int
    sha256: str
    size: int
    packed: str
    packed_size: int

    @property
    def row(self) -> PatchRow:
        return (self.name, self.before, self.before_size, self.sha256, self.size, self.packed, self.packed_size)


@dataclass(frozen=True)
class Patching:
    """The patches of one change: those of the snapshot `before` go on into `suite`, with one more, `name`."""

    shelf: Shelf
    before: Path
    suite: Path
    name: str

    def add(self, part: str, old: Content, pieces: Sequence[bytes], new: Sequence[bytes]) -> None:
        """The list `old`, of these frames, became one of the frames `new`."""
        text = script(pieces, new)
        packed = gzip.compress(text, 9, mtime=0)
        target = self._file(self.suite, part, self.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(packed)
        made = Patch(self.name, *old, *_content(text), *_content(packed))
        self.shelf.note_patches(part, [each.row for each in (*self._there(part), made)])

    def write(self, part: str, current: Content) -> dict[str, Content]:
        """Its patches and then their Index, by path; nothing where there is none."""
        kept = _newest(self._there(part), current[1])
        self.shelf.note_patches(part, [each.row for each in kept])
        if not kept:
            return {}
        found = {}
        for each in kept:
            target = self._file(self.suite, part, each.name)
            if each.name != self.name:
                target.parent.mkdir(parents=True, exist_ok=True)
                os.link(self._file(self.before, part, each.name), target)
            found[f"{part}.diff/{each.name}.gz"] = (each.packed, each.packed_size)
        text = index(current, kept)
        (self.suite / f"{part}.diff/Index").write_bytes(text)
        return found | {f"{part}.diff/Index": _content(text)}

    def _there(self, part: str) -> list[Patch]:
        """All up to now, or none: a chain with a hole leads nowhere."""
        found = [Patch(*row) for row in self.shelf.patches(part)]
        whole = all(
            self._file(self.suite if each.name == self.name else self.before, part, each.name).is_file()
            for each in found
        )
        return found if whole else []

    def _file(self, suite: Path, part: str, name: str) -> Path:
        return suite / f"{part}.diff" / f"{name}.gz"


def index(current: Content, patches: Sequence[Patch]) -> bytes:
    """What clients read first, the oldest patch first."""
    lines = [f"SHA256-Current: {current[0]} {current[1]}", "SHA256-History:"]
    lines += [f" {each.before} {each.before_size} {each.name}" for each in patches]
    lines += ["SHA256-Patches:", *(f" {each.sha256} {each.size} {each.name}" for each in patches)]
    lines += ["SHA256-Download:", *(f" {each.packed} {each.packed_size} {each.name}.gz" for each in patches)]
    return "\n".join([*lines, ""]).encode()


def script(before: Sequence[bytes], after: Sequence[bytes]) -> bytes:
    """The ed script from a list to another; both are frames of Zstandard, of whole paragraphs."""
    unpack = zstandard.ZstdDecompressor().decompress
    hunks: list[bytes] = []
    line = 0
    for how, first, last, begin, end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        old = [unpack(frame) for frame in before[first:last]]
        if how != "equal":
            new = b"".join(unpack(frame) for frame in after[begin:end])
            hunks += _hunks(_paragraphs(b"".join(old)), _paragraphs(new), line)
        line += sum(piece.count(b"\n") for piece in old)
    return b"".join(reversed(hunks))  # from the end to the beginning, so that the numbers of lines hold


def _hunks(before: Sequence[bytes], after: Sequence[bytes], line: int) -> Iterator[bytes]:
    """Commands of ed; `line` lines come before."""
    for how, first, last, begin, end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        gone = sum(paragraph.count(b"\n") for paragraph in before[first:last])
        lines = f"{line + 1},{line + gone}" if gone > 1 else f"{line + 1}"
        text = b"".join(after[begin:end])
        if how == "insert":
            yield f"{line}a\n".encode() + text + b".\n"
        elif how == "replace":
            yield f"{lines}c\n".encode() + text + b".\n"
        elif how == "delete":
            yield f"{lines}d\n".encode()
        line += gone


def _paragraphs(text: bytes) -> list[bytes]:
    return [each + b"\n\n" for each in text.split(b"\n\n")[:-1]]


def _newest(patches: Sequence[Patch], most: int) -> list[Patch]:
    """The last ones, that have no more than so many bytes together."""
    kept: list[Patch] = []
    for each in reversed(patches[-KEPT:]):
        most -= each.packed_size
        if most < 0:
            break
        kept.insert(0, each)
    return kept


def _content(text: bytes) -> Content:
    return sha256(text).hexdigest(), len(text)
