"""What bootc wants of an image beside its files: labels, architecture, layers it can import.

Rules: bootc, crates/ostree-ext/src/container/store.rs and docs/src/bootc-images.md (version 1.16).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from composes.pipeline.system.lint import Finding

WANTED = {"containers.bootc": "1", "ostree.bootable": "true"}
FORBIDDEN = ("ostree.final-diffid", "ostree.commit")  # of images whose layers hold OSTree objects: ours hold files


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image to judge: what was asked for, its manifest and configuration, and the names in its layers."""

    architecture: str
    kernel: str
    most_layers: int
    manifest: Mapping[str, Any]
    config: Mapping[str, Any]
    names: Sequence[str]

    @property
    def labels(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.config.get("config", {}).get("Labels", {})
        return found


def image_labels(image: Image) -> Iterator[str]:
    for name, value in {**WANTED, "ostree.linux": image.kernel}.items():
        if image.labels.get(name) != value:
            yield f"the label {name} is {image.labels.get(name, 'missing')}, not {value}"
    if not image.labels.get("org.opencontainers.image.version"):
        yield "the label org.opencontainers.image.version is missing"
    yield from (f"the label {name} belongs to another kind of image" for name in FORBIDDEN if name in image.labels)


def image_architecture(image: Image) -> Iterator[str]:
    if image.config.get("architecture") != image.architecture:
        yield f"the architecture is {image.config.get('architecture')}, not {image.architecture}"


def image_layers(image: Image) -> Iterator[str]:
    layers, diffs = image.manifest["layers"], image.config["rootfs"]["diff_ids"]
    if len(layers) > image.most_layers:
        yield f"{len(layers)} layers are more than {image.most_layers}"
    if len(layers) != len(diffs):
        yield f"the manifest has {len(layers)} layers, the configuration {len(diffs)}"


def image_names(image: Image) -> Iterator[str]:
    for name in image.names:
        if name.startswith("usr/etc/"):
            yield f"/{name} is in /usr/etc"
        if name.rpartition("/")[2].startswith(".wh."):
            yield f"/{name} would delete a file"


RULES: tuple[tuple[str, Callable[[Image], Iterator[str]]], ...] = (
    ("image-architecture", image_architecture),
    ("image-labels", image_labels),
    ("image-layers", image_layers),
    ("image-names", image_names),
)


def judge(image: Image) -> list[Finding]:
    """What is wrong with an image; all of it is fatal."""
    found = ((name, tuple(rule(image))) for name, rule in RULES)
    return [Finding(rule=name, fatal=True, details=details) for name, details in found if details]
