"""Signatures over what a compose delivered: of all files by their sums, of the container by its manifest's digest.

Both are OpenPGP, by every signing key. The container's are those of containers/image (simple signing), which skopeo,
podman and bootc verify by themselves when they pull.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chroots.engine.archives.signing import Signer
from debatomic.tools.errors import InputError
from debatomic.tools.files import whole

SUMS, SUMS_SIGNED, CONTAINER = "SHA256SUMS", "SHA256SUMS.asc", "container.signature"
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._+~-]*\Z")
DIGEST = re.compile(r"^sha256:[0-9a-f]{64}\Z")
REFERENCE = re.compile(r"^[a-z0-9.-]+(?::[0-9]+)?/((?:[a-z0-9._-]+/)*[a-z0-9._-]+):[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """What is signed: SHA-256 by file name; the container's manifest digest, and where it is pulled from."""

    files: Mapping[str, str]
    digest: str = ""
    reference: str = ""  # host/name:tag


def read(content: Mapping[str, Any]) -> Delivered:
    """From JSON: `files`, `digest`, `reference`. Raises InputError."""
    files: dict[str, str] = dict(content.get("files") or {})
    digest, reference = (str(content.get(name) or "") for name in ("digest", "reference"))
    for name, sha256 in files.items():
        if not NAME.match(name) or not DIGEST.match(f"sha256:{sha256}"):
            raise InputError(f"{name!a} with the SHA-256 {sha256!a} cannot be signed.")
    if digest and not (DIGEST.match(digest) and REFERENCE.match(reference)):
        raise InputError(f"The container {reference!a} with the digest {digest!a} cannot be signed.",
                         hint="A reference is such as registry.example.org/house/minimal:13.20261122.0.")  # fmt: skip
    return Delivered(files=files, digest=digest, reference=reference)


def sums(files: Mapping[str, str]) -> bytes:
    """As sha256sum writes and reads them."""
    return "".join(f"{files[name]}  {name}\n" for name in sorted(files)).encode()


def claim(reference: str, digest: str) -> bytes:
    """The payload of a simple signature: this digest is that reference."""
    critical = {"identity": {"docker-reference": reference}, "image": {"docker-manifest-digest": digest},
                "type": "atomic container signature"}  # fmt: skip
    return json.dumps({"critical": critical, "optional": {"creator": "DebAtomic"}}, sort_keys=True).encode()


def attest(signer: Signer, what: Delivered, folder: Path, lookaside: Path | None = None) -> list[str]:
    """Write the signatures into `folder`; the container's also where those who pull it look. Returns their names."""
    made: dict[str, bytes] = {}
    if what.files:
        listed = sums(what.files)
        made |= {SUMS: listed, SUMS_SIGNED: signer.signatures(listed)}
    if what.digest:
        keys = signer.ensure()
        signed = [signer.enclosed(claim(what.reference, what.digest), key) for key in keys]
        made |= {CONTAINER if not number else f"{CONTAINER}-{number + 1}": each for number, each in enumerate(signed)}
        if lookaside:
            _look_aside(lookaside, what, signed)
    for name, content in made.items():
        _write(folder / name, content)
    return list(made)


def _look_aside(folder: Path, what: Delivered, signed: list[bytes]) -> None:
    """NAME@sha256=DIGEST/signature-N, the newest keys' last; those of keys that are gone go."""
    match = REFERENCE.match(what.reference)
    assert match, "it was checked"
    place = folder / f"{match[1]}@{what.digest.replace(':', '=')}"
    for number, content in enumerate(signed):
        _write(place / f"signature-{number + 1}", content)
    for path in place.glob("signature-*"):
        if int(path.name.rpartition("-")[2]) > len(signed):
            path.unlink()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as file:
        file.write(content)
