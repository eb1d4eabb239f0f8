"""The refs of release channels, and the keys that sign: without ostree."""

from __future__ import annotations

from pathlib import Path

import pytest

from chroots.engine.archives import openpgp
from chroots.engine.archives.signing import Signer, write_public
from composes.pipeline.publishing import gvariant
from composes.pipeline.treefiles import shown, treefile
from composes.pipeline.treefiles.treefile import Tree
from debatomic.tools.errors import InputError

BEGIN = "suite: trixie\narchitectures: {amd64: {}}\nvariants: {minimal: {}}\n"


def resolved(folder: Path, more: str) -> Tree:
    (folder / "house.yaml").write_text(BEGIN + more)
    return treefile.resolve(treefile.load(folder / "house.yaml"), "minimal", "amd64")


@pytest.mark.parametrize(("more", "refs"), [
    ("", {"nightly": "house/trixie/amd64/minimal", "testing": "testing/house/trixie/amd64/minimal",
          "stable": "stable/house/trixie/amd64/minimal"}),
    ("ref: a/b", {"nightly": "a/b", "testing": "testing/a/b", "stable": "stable/a/b"}),
    ("channels: [edge, lts]\nref: os/{channel}/{variant}", {"edge": "os/edge/minimal", "lts": "os/lts/minimal"}),
    ("channels: [only]", {"only": "house/trixie/amd64/minimal"}),
])  # fmt: skip
def test_each_channel_has_a_ref(tmp_path: Path, more: str, refs: dict[str, str]) -> None:
    tree = resolved(tmp_path, more)
    assert dict(zip(tree.channels, tree.refs, strict=True)) == refs
    assert tree.ref == next(iter(refs.values()))
    (tmp_path / "house.yaml").write_text(shown.text(shown.as_treefile(tree), "yaml"))
    again = treefile.resolve(treefile.load(tmp_path / "house.yaml"), "minimal", "amd64")
    assert (again.channels, again.refs) == (tree.channels, tree.refs)


def test_no_ref_lies_in_another(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"house\.yaml:4: no ref may lie in another: testing/testing in testing"):
        resolved(tmp_path, "ref: testing")


def test_keys_are_made_added_and_retired(tmp_path: Path) -> None:
    signer, public = Signer(tmp_path / "keys"), tmp_path / "public/keys.asc"
    (first,) = signer.ensure()
    assert signer.ensure() == [first], "made once"
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert bytes.fromhex(first) in signer.sign(b"content", first), "a signature names its key"
    second = signer.add()
    write_public(signer, public)
    assert openpgp.fingerprints(openpgp.binary(public.read_bytes(), "keys")) == [first, second]
    signer.retire(first)
    assert signer.fingerprints() == [second]
    for fingerprint, sentence in ((first, "There is no key"), (second, "The only key cannot be retired")):
        with pytest.raises(InputError, match=sentence):
            signer.retire(fingerprint)


@pytest.mark.parametrize("values", [[], [b""], [b"one"], [b"one", b"x" * 300], [b"y" * 70_000, b"z", b""]])
def test_signatures_are_read_as_they_were_written(values: list[bytes]) -> None:
    assert gvariant.read("a{sv}", gvariant.metadata("ostree.gpgsigs", values)) == [
        ("ostree.gpgsigs", ("aay", values))]  # fmt: skip
