"""Patches of package lists: a real apt comes by them from one list to the next."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as some

from builds.repository.pdiffs import script
from tests.repository.apt import SPEC, Apt, Hub

PACKAGES = "main/binary-amd64/Packages"
# apt refuses patches that are larger than a list, which a tiny one's are; lists as they are, whatever the machine says
EAGER = ("-o", "Acquire::PDiffs=true", "-o", "Acquire::PDiffs::SizeLimit=0", "-o", "Acquire::PDiffs::FileLimit=0",
         "-o", "Acquire::GzipIndexes=false")  # fmt: skip
Pieces = list[list[int]]


def patched(text: bytes, commands: bytes) -> bytes:
    """What these commands of ed make of a text, as they come: from its end to its beginning."""
    lines, said = text.splitlines(keepends=True), iter(commands.splitlines(keepends=True))
    for command in said:
        numbers, verb = command[:-2].decode(), command[-2:-1]
        first, last = (int(number) for number in (numbers.split(",") * 2)[:2])
        new = list(iter(lambda: next(said), b".\n")) if verb in (b"a", b"c") else []
        lines[first - (verb != b"a") : last] = new
    return b"".join(lines)


def frames(pieces: Pieces) -> list[bytes]:
    return [zstandard.compress(b"".join(b"Package: p%d\nX: 1\n\n" % each for each in piece)) for piece in pieces]


def text(pieces: Pieces) -> bytes:
    return b"".join(zstandard.decompress(frame) for frame in frames(pieces))


LISTS = some.lists(some.lists(some.integers(0, 30), min_size=1, max_size=5), max_size=6)


@settings(max_examples=50, deadline=None)
@given(LISTS, LISTS, some.integers(0, 6))
def test_a_script_makes_one_list_of_the_other(before: Pieces, after: Pieces, shared: int) -> None:
    after = before[:shared] + after + before[shared + 1 :]
    assert patched(text(before), script(frames(before), frames(after))) == text(after)


def lists(apt: Apt) -> bytes:
    """The Packages that apt has."""
    return next((apt.folder / "lists").glob("*_binary-amd64_Packages")).read_bytes()


@pytest.mark.integration
def test_a_real_apt_comes_by_patches_to_the_same_list(hub: Hub, apt: Apt) -> None:
    hub.spec = dataclasses.replace(SPEC, pdiffs=True)
    hub.change(*(hub.package(name) for name in ("alpha", "beta", "gamma")))
    apt("update", *EAGER)
    before = lists(apt)
    hub.change(hub.package("beta", "2.0"), remove=["beta_1.0"])
    hub.change(hub.package("delta"), remove=["alpha_1.0"])
    hub.change(sources=[hub.source("delta")])  # leaves Packages as it is

    said = apt("update", *EAGER, "-o", "Debug::pkgAcquire::Diffs=true", "-o", "Debug::Acquire::http=true")
    asked = {line.split()[1] for line in said.splitlines() if line.startswith("GET ")}
    assert len([path for path in asked if "binary-amd64/Packages.diff/" in path]) == 3, said  # Index and two patches
    assert not [path for path in asked if "binary-amd64/by-hash" in path or path.endswith("Packages.xz")], said
    now = lists(apt)
    listed = zstandard.ZstdDecompressor().stream_reader((suite(hub) / f"{PACKAGES}.zst").read_bytes(),
                                                        read_across_frames=True).read()  # fmt: skip
    assert now == listed != before


def suite(hub: Hub) -> Path:
    return hub.repository.folder / "dists/house"


@pytest.mark.integration
def test_patches_are_those_of_lists_that_follow_each_other(hub: Hub) -> None:
    hub.change(hub.package("alpha"))
    assert not (suite(hub) / f"{PACKAGES}.diff").exists()
    hub.spec = dataclasses.replace(SPEC, pdiffs=True)
    for number in range(3):
        hub.change(hub.package("alpha", f"2.{number}"))
    patches = sorted((suite(hub) / f"{PACKAGES}.diff").glob("*.gz"))
    assert [path.name for path in patches] == [f"20261122T00000{number}Z.gz" for number in (2, 3, 4)]
    index = (suite(hub) / f"{PACKAGES}.diff/Index").read_text()
    digest = hashlib.sha256(patches[0].read_bytes()).hexdigest()
    assert f" {digest} {patches[0].stat().st_size} {patches[0].name}\n" in index
    assert (patches[0].parent / "by-hash/SHA256" / digest).samefile(patches[0])
    assert gzip.decompress(patches[0].read_bytes()).endswith(b".\n")

    hub.spec = SPEC  # off and on again: the list before is in no patch
    hub.change(hub.package("alpha", "3.0"))
    hub.spec = dataclasses.replace(SPEC, pdiffs=True)
    hub.change(hub.package("alpha", "4.0"))
    assert [path.name for path in (suite(hub) / f"{PACKAGES}.diff").glob("*.gz")] == ["20261122T000006Z.gz"]
