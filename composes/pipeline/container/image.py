"""An OCI image layout in one file: compressed layers, the configuration, the manifest.

Media types and fields: opencontainers/image-spec 1.1. Labels that bootc reads: bootc, docs/src/bootc-images.md and
crates/ostree-ext/src/container/store.rs.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol

import zstandard

from composes.pipeline.container import tarball
from composes.pipeline.container.content import Entry

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+"
COMPONENTS = "ostree.components"  # what ostree-ext and rpm-ostree call the packages of a layer
LEVELS = {"zstd": 5, "gzip": 6}
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BUFFER = 1 << 20


class Compressor(Protocol):
    def compress(self, chunk: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


@dataclass(frozen=True, kw_only=True)
class Blob:
    """A compressed layer in a file: `digest` and `diff` are the SHA-256 of it and of the tar in it, in hex."""

    path: Path
    digest: str
    diff: str
    size: int
    components: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class About:
    """What an image says of itself; `date` in seconds since 1970."""

    architecture: str  # Debian's name, which is Go's for amd64 and arm64
    date: int
    labels: Mapping[str, str]
    name: str  # what the image is called where it is loaded from the archive
    compression: str  # zstd or gzip

    @property
    def created(self) -> str:
        return f"{datetime.fromtimestamp(self.date, UTC):%Y-%m-%dT%H:%M:%SZ}"


def compressor(kind: str) -> Compressor:
    """One that gives the same bytes for the same input: no name, no date."""
    if kind == "gzip":
        return zlib.compressobj(LEVELS[kind], zlib.DEFLATED, 31)
    return zstandard.ZstdCompressor(level=LEVELS[kind]).compressobj()


class Packer:
    """Compresses what is written to it into a file, and counts and digests both sides."""

    def __init__(self, file: IO[bytes], kind: str) -> None:
        self._file, self._compressor = file, compressor(kind)
        self._waiting = bytearray()
        self.plain, self.packed, self.size = hashlib.sha256(), hashlib.sha256(), 0

    def write(self, chunk: bytes) -> None:
        self._waiting += chunk
        if len(self._waiting) >= BUFFER:
            self._pack(bytes(self._waiting))
            self._waiting.clear()

    def close(self) -> None:
        self._pack(bytes(self._waiting))
        self._out(self._compressor.flush())

    def _pack(self, chunk: bytes) -> None:
        self.plain.update(chunk)
        self._out(self._compressor.compress(chunk))

    def _out(self, chunk: bytes) -> None:
        self.packed.update(chunk)
        self.size += len(chunk)
        self._file.write(chunk)


def packed(
    layers: Mapping[tuple[str, ...], Sequence[Entry]], folder: Path, about: About, done: Callable[[int], object]
) -> list[Blob]:
    """Each layer compressed into a file in `folder`, as many at a time as there are processors, the largest first."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting = {}
        for number, names in enumerate(sorted(layers, key=lambda each: -sum(e.status.st_size for e in layers[each]))):
            waiting[names] = pool.submit(_layer, names, layers[names], folder / f"layer-{number}", about)
        blobs = []
        for names in layers:
            blobs.append(waiting[names].result())
            done(len(blobs))
    return blobs


def _layer(names: tuple[str, ...], found: Sequence[Entry], path: Path, about: About) -> Blob:
    with path.open("wb") as file:
        packer = Packer(file, about.compression)
        tarball.write(found, packer.write, date=about.date)
        packer.close()
    return Blob(path=path, digest=packer.packed.hexdigest(), diff=packer.plain.hexdigest(), size=packer.size,
                components=names)  # fmt: skip


def configuration(about: About, blobs: Sequence[Blob]) -> bytes:
    history = [{"created": about.created, "created_by": "DebAtomic", "comment": ",".join(blob.components)[:200]}
               for blob in blobs]  # fmt: skip
    return _json({
        "architecture": about.architecture, "os": "linux", "created": about.created, "history": history,
        "config": {"Labels": dict(about.labels), "Cmd": ["/sbin/init"], "Env": [PATH], "StopSignal": "SIGRTMIN+3"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{blob.diff}" for blob in blobs]},
    })  # fmt: skip


def manifest(about: About, blobs: Sequence[Blob], config: bytes) -> bytes:
    layers = [{"mediaType": LAYER + about.compression, "digest": f"sha256:{blob.digest}", "size": blob.size,
               "annotations": {COMPONENTS: ",".join(blob.components)}} for blob in blobs]  # fmt: skip
    return _json({
        "schemaVersion": 2, "mediaType": MANIFEST, "layers": layers,
        "config": {"mediaType": CONFIG, "digest": f"sha256:{_digest(config)}", "size": len(config)},
        "annotations": {**about.labels, "org.opencontainers.image.created": about.created},
    })  # fmt: skip


def write_archive(path: Path, about: About, blobs: Sequence[Blob]) -> bytes:
    """The whole layout as a tar (`oci-archive:` to skopeo and podman), without date or owner. The manifest."""
    config = configuration(about, blobs)
    described = manifest(about, blobs, config)
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [{
        "mediaType": MANIFEST, "digest": f"sha256:{_digest(described)}", "size": len(described),
        "platform": {"architecture": about.architecture, "os": "linux"},
        "annotations": {"org.opencontainers.image.ref.name": about.name}}]}  # fmt: skip
    small = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": _json(index)}
    small |= {f"blobs/sha256/{_digest(content)}": content for content in (described, config)}
    with tarfile.open(path, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in small.items():
            tar.addfile(_member(name, len(content)), io.BytesIO(content))
        for blob in {blob.digest: blob for blob in blobs}.values():
            with blob.path.open("rb") as source:
                tar.addfile(_member(f"blobs/sha256/{blob.digest}", blob.size), source)
    return described


def _member(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info


def _json(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
