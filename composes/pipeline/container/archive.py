"""Reading an image back: its manifest, and where in the archive each blob lies."""

from __future__ import annotations

import json
import os
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from composes.pipeline.container.image import COMPONENTS, MANIFEST
from debatomic.tools.errors import InputError
from debatomic.tools.files import sha256

BLOB = re.compile(r"^blobs/sha256/([0-9a-f]{64})\Z")
DIGEST = re.compile(r"^sha256:([0-9a-f]{64})\Z")
LARGEST = 8 << 20  # bytes of a manifest or index


@dataclass(frozen=True, kw_only=True)
class LayerOf:
    """A layer as a manifest tells it: `digest` with `sha256:` before it, `size` compressed."""

    digest: str
    size: int
    packages: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Archive:
    """An OCI layout in one tar: first byte and size of each blob, the digest of its one manifest."""

    blobs: Mapping[str, tuple[int, int]]
    manifest: str


def index(file: IO[bytes]) -> Archive:
    """What an `oci-archive` holds. Raises InputError."""
    blobs: dict[str, tuple[int, int]] = {}
    listed: Any = None
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                if (blob := BLOB.match(member.name)) and member.isfile():
                    blobs[f"sha256:{blob[1]}"] = (member.offset_data, member.size)
                elif member.name == "index.json" and member.size < LARGEST and (content := tar.extractfile(member)):
                    listed = json.loads(content.read())
        (described,) = listed["manifests"]
        digest = str(described["digest"])
    except (tarfile.TarError, EOFError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"This is not an OCI archive of one image: {error}.") from error
    if digest not in blobs:
        raise InputError("This OCI archive lacks its manifest.")
    return Archive(blobs=blobs, manifest=digest)


def read_blob(file: IO[bytes], found: Archive, digest: str) -> bytes:
    """A small blob, the manifest or the configuration. Raises InputError where it is not there, or not small."""
    start, size = found.blobs.get(digest, (0, 0))
    if not 0 < size < LARGEST:
        raise InputError(f"This OCI archive lacks {digest:.80}, or has it far too large.")
    file.seek(start)
    return file.read(size)


def manifest_of(file: IO[bytes]) -> dict[str, Any]:
    """The manifest in an archive. Raises InputError."""
    file.seek(0)
    found = index(file)
    content: dict[str, Any] = json.loads(read_blob(file, found, found.manifest))
    return content


def extract(path: Path, found: Archive, digest: str, target: Path) -> None:
    """A blob of the archive at `path` in a file of its own. Raises InputError unless it has its digest."""
    start, size = found.blobs.get(digest, (0, 0))
    with path.open("rb") as source, target.open("wb") as file:
        while done := os.copy_file_range(source.fileno(), file.fileno(), size, start):
            start, size = start + done, size - done
    if f"sha256:{sha256(target)}" != digest:
        raise InputError(f"This OCI archive has {digest:.80} damaged.")


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of an image: from an archive, from a folder with its layout, or itself. Raises InputError."""
    try:
        if path.is_dir():
            (described,) = json.loads((path / "index.json").read_text())["manifests"]
            digest = DIGEST.match(described["digest"])
            content = json.loads((path / "blobs/sha256" / (digest[1] if digest else "none")).read_text())
        else:
            with path.open("rb") as file:
                content = json.load(file) if file.read(1) == b"{" and not file.seek(0) else manifest_of(file)
        layers_of(content)
    except FileNotFoundError as error:
        raise InputError(f"There is no image at {path}.") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is neither an OCI image nor the manifest of one.") from error
    result: dict[str, Any] = content
    return result


def layers_of(manifest: Mapping[str, Any]) -> list[LayerOf]:
    """The layers a manifest names, with the packages its annotations tell. Raises InputError."""
    if manifest.get("mediaType") != MANIFEST:
        raise InputError(f"This is not the manifest of one OCI image: its type is {manifest.get('mediaType')!s:.80}.")
    return [LayerOf(digest=str(each["digest"]), size=int(each["size"]), packages=_packages(each))
            for each in manifest["layers"]]  # fmt: skip


def _packages(layer: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in layer.get("annotations", {}).get(COMPONENTS, "").split(",") if name)
