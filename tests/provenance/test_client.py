"""`debatomic attestation --verify`: what a key signed is taken, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from builds.attesting.envelope import sealed
from chroots.engine.archives.signing import Signer
from debatomic.client.provenance import _matched, verified
from debatomic.tools.errors import InputError
from debatomic.tools.files import sha256


def test_a_package_is_verified_by_the_keys_one_trusts(tmp_path: Path) -> None:
    package, other = tmp_path / "a.deb", tmp_path / "b.deb"
    package.write_bytes(b"a package")
    other.write_bytes(b"another")
    told = {
        "subject": [{"name": "a.deb", "digest": {"sha256": sha256(package)}}],
        "predicate": {
            "buildDefinition": {"externalParameters": {
                "source": "a", "version": "1", "target": "trixie", "submittedBy": "alice"}},
            "runDetails": {"builder": {"id": "http://hub.example.org/hosts/b/"}},
        },
    }  # fmt: skip
    signer = Signer(tmp_path / "k/gpg")
    (tmp_path / "signed.json").write_bytes(sealed(told, signer))
    (tmp_path / "keys.asc").write_bytes(signer.public())
    statement = verified(tmp_path / "signed.json", tmp_path / "keys.asc")
    assert "submitted by alice" in _matched(package, [statement])["sentence"]
    with pytest.raises(InputError, match="not what was signed"):
        _matched(other, [statement])
    (tmp_path / "signed.json").write_bytes(sealed(told, Signer(tmp_path / "stranger/gpg")))
    with pytest.raises(InputError, match="None of the keys"):
        verified(tmp_path / "signed.json", tmp_path / "keys.asc")
