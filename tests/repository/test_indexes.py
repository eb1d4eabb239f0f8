"""Indexes of pieces: the same entries give the same bytes, whatever was there before."""

from __future__ import annotations

import hashlib
import lzma
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as some

from builds.repository import shelf as shelves
from builds.repository.blocks import xz_block, xz_stream, zstd_frame
from builds.repository.paragraphs import binary, control_of, source
from builds.repository.shelf import Entry, Shelf
from debatomic.tools.errors import InputError

PACKAGES, CONTENTS = "main/binary-amd64/Packages", "main/Contents-amd64"


@pytest.mark.parametrize("sizes", [[], [0], [1], [1, 2, 3, 4, 5], [70_000, 1, 200_000]])
def test_pieces_make_one_file_that_everybody_unpacks(sizes: list[int]) -> None:
    pieces = [bytes(index % 251 for index in range(size)) for size in sizes]
    assert lzma.decompress(b"".join(xz_stream(map(xz_block, pieces)))) == b"".join(pieces)
    frames = b"".join(map(zstd_frame, pieces))
    assert zstandard.ZstdDecompressor().stream_reader(frames, read_across_frames=True).read() == b"".join(pieces)


def entry(part: str, number: int, version: int = 1) -> Entry:
    owner, text = f"o{number}-{version}", f"n{number}/{version}"
    return Entry(part=part, name=f"n{number}", rest=str(version), owner=owner, text=text)


def packed(shelf: Shelf, part: str) -> bytes:
    return b"".join(xz_stream(piece.block for piece in shelf.pieces(part)))


@settings(max_examples=30, deadline=None)
@given(
    some.lists(some.tuples(some.booleans(), some.integers(0, 40), some.integers(1, 2)), max_size=60),
    some.sampled_from([PACKAGES, CONTENTS]),
)
def test_an_index_depends_on_what_is_in_it_and_on_nothing_else(steps: list[tuple[bool, int, int]], part: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shelves, "PIECE_ENTRIES", 5)
        patch.setattr(shelves, "LINES_PER_PIECE", 5)
        grown, there = Shelf(Path(":memory:")), {}
        for number, (comes, name, version) in enumerate(steps):
            each = entry(part, name, version)
            if comes:
                grown.put([each])
                there[each.owner] = each
            else:
                grown.remove([each.owner])
                there.pop(each.owner, None)
            if number % 3 == 0:
                packed(grown, part)  # between changes, as after each snapshot
        fresh = Shelf(Path(":memory:"))
        fresh.put(there.values())
        assert packed(grown, part) == packed(fresh, part)
        assert lzma.decompress(packed(fresh, part)).count(b"n") >= len({each.name for each in there.values()})


def test_a_file_in_two_packages_is_one_line() -> None:
    shelf = Shelf(Path(":memory:"))
    shelf.put(Entry(part=CONTENTS, name="usr/bin/x", rest=owner, owner=owner, text=f"misc/{owner}") for owner in "ba")
    assert lzma.decompress(packed(shelf, CONTENTS)) == b"usr/bin/x\tmisc/a,misc/b\n"


CONTROL = "Package: figlet\nVersion: 1\nArchitecture: amd64\nDescription: short\n long\n .\n more\n"


@pytest.mark.parametrize("text, sentence", [
    ("Package: x\nVersion: 1\n", "lacks its name, version or architecture"),
    ("", "lacks its name"),
    ("x" * (1 << 21), "too long"),
])  # fmt: skip
def test_what_is_no_control_file_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        control_of(text)


def test_a_package_cannot_say_where_its_file_is_nor_what_is_in_it() -> None:
    told = control_of(CONTROL + "Filename: pool/evil\nsize: 1\nSHA256: 00\n")
    paragraph = binary(told, path="pool/f.deb", size=7, sha256="ab")
    assert paragraph == f"{CONTROL}Filename: pool/f.deb\nSize: 7\nSHA256: ab\n"


def test_a_source_package_is_named_and_its_files_are_listed() -> None:
    dsc = (
        "Format: 3.0 (native)\nSource: tiny\nBinary: tiny\nArchitecture: all\nVersion: 1\nFiles:\n 00 1 tiny_1.tar.xz\n"
    )
    digest = hashlib.sha256(b"").hexdigest()
    found = source(dsc, folder="pool/main/t/tiny/b1", component="main",
                   files=[{"name": "tiny_1.dsc", "sha256": digest, "size": 0}])  # fmt: skip
    assert found.splitlines() == [
        "Package: tiny", "Format: 3.0 (native)", "Binary: tiny", "Architecture: all", "Version: 1", "Section: main",
        "Directory: pool/main/t/tiny/b1", "Checksums-Sha256:", f" {digest} 0 tiny_1.dsc",
    ]  # fmt: skip
