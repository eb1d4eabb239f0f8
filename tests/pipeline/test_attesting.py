"""Signatures over what a compose delivered, verified by what everybody has: gpg, sha256sum and skopeo."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chroots.engine.archives.signing import Signer
from composes.pipeline.container import image, push
from composes.pipeline.container.image import About
from composes.pipeline.container.push import Registry
from composes.pipeline.publishing import attesting
from composes.pipeline.publishing.attesting import Delivered
from debatomic.tools.errors import InputError
from tests.application import STATE
from tests.pipeline import registry

REFERENCE = "registry.example.org/house/minimal:13.20261122.0"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"files": {"../x": "a" * 64}}, "../x"),
        ({"files": {"disk.raw": "no digest"}}, "no digest"),
        ({"digest": "sha256:" + "a" * 64, "reference": "no reference"}, "no reference"),
        ({"digest": "sha1:aa", "reference": REFERENCE}, "sha1:aa"),
    ],
)
def test_what_cannot_be_named_is_not_signed(content: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match="cannot be signed") as caught:
        attesting.read(content)
    assert said in str(caught.value)


def test_sums_are_as_sha256sum_reads_them(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("two")
    (tmp_path / "a").write_text("one")
    files = {name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("b", "a")}
    (tmp_path / "SHA256SUMS").write_bytes(attesting.sums(files))
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path, check=True, capture_output=True)


class Reader:
    """Somebody with the public keys and stock programs."""

    def __init__(self, folder: Path, signer: Signer) -> None:
        self.folder, self.home = folder, folder / "gnupg"
        self.home.mkdir(mode=0o700)
        self.keys = folder / "keys.asc"
        self.keys.write_bytes(signer.public())
        self.run("gpg", "--batch", "--quiet", "--import", str(self.keys))

    def run(self, *args: str) -> int:
        env = {**os.environ, "GNUPGHOME": str(self.home)}
        return subprocess.run(args, cwd=self.folder, env=env, capture_output=True, check=False).returncode

    def pull(self, address: str, lookaside: Path) -> int:
        """With a policy that takes nothing but what these keys signed."""
        wanted = [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": str(self.keys),
                   "signedIdentity": {"type": "matchRepository"}}]  # fmt: skip
        policy = {"default": [{"type": "reject"}], "transports": {"docker": {address: wanted}}}
        (self.folder / "policy.json").write_text(json.dumps(policy))
        (self.folder / "registries.d").mkdir(exist_ok=True)
        (self.folder / "registries.d/house.yaml").write_text(
            f"docker:\n  {address}:\n    lookaside: file://{lookaside}\n")  # fmt: skip
        return self.run("skopeo", "--policy", "policy.json", "--registries.d", "registries.d", "copy", "--quiet",
                        "--src-tls-verify=false", f"docker://{address}/house/minimal:latest", "dir:pulled")  # fmt: skip


@pytest.fixture
def signer() -> Signer:
    found = Signer(STATE / "signing")
    found.ensure()
    return found


@pytest.fixture
def pushed(tmp_path: Path) -> Iterator[tuple[str, Path, str]]:
    """A container in a registry: the registry's address, the container's manifest, and its digest."""
    about = About(architecture="amd64", date=86400, labels={}, name="house/minimal:1", compression="gzip")
    blobs = image.packed({("empty",): []}, tmp_path, about, lambda count: None)
    manifest = tmp_path / "container.json"
    manifest.write_bytes(image.write_archive(tmp_path / "container.tar", about, blobs))
    (tmp_path / "registry").mkdir()
    with registry.serving(tmp_path / "registry") as address:
        digest = push.push(tmp_path / "container.tar", [f"{address}/house/minimal:latest"], Registry(tls=False))
        yield address, manifest, digest


@pytest.mark.integration
def test_stock_programs_verify_files_and_container(
    tmp_path: Path, signer: Signer, pushed: tuple[str, Path, str]
) -> None:
    address, manifest, digest = pushed
    reader, lookaside = Reader(tmp_path, signer), tmp_path / "signatures"
    (tmp_path / "disk.raw").write_bytes(b"disk")
    files = {"disk.raw": hashlib.sha256(b"disk").hexdigest()}
    tag = f"{address}/house/minimal:1"
    assert reader.pull(address, lookaside) != 0  # not signed yet
    made = attesting.attest(signer, Delivered(files=files, digest=digest, reference=tag), tmp_path, lookaside)
    assert made == ["SHA256SUMS", "SHA256SUMS.asc", "container.signature"]
    assert reader.run("gpg", "--verify", "SHA256SUMS.asc", "SHA256SUMS") == 0
    assert reader.run("sha256sum", "--check", "--strict", "SHA256SUMS") == 0
    verify = ("skopeo", "standalone-verify", manifest.name, tag, signer.fingerprints()[0], "container.signature")
    assert reader.run(*verify) == 0
    assert reader.pull(address, lookaside) == 0
    manifest.write_bytes(manifest.read_bytes() + b"\n")
    assert reader.run(*verify) != 0
    (tmp_path / "SHA256SUMS").write_text("")
    assert reader.run("gpg", "--verify", "SHA256SUMS.asc", "SHA256SUMS") != 0
