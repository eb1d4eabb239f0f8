"""What else a tree becomes than a commit and a disk that boots."""

from __future__ import annotations

from composes.pipeline.graph import Stage
from composes.pipeline.stages import container, iso, oci, sbom, tar, tracker, vhd, vmdk, vulnerabilities

STAGES: tuple[Stage, ...] = (
    tracker.STAGE, oci.STAGE, vmdk.STAGE, vhd.STAGE, iso.STAGE, tar.STAGE, sbom.STAGE, vulnerabilities.STAGE,
    container.STAGE,
)  # fmt: skip
FILES = ("container.*", "root.tar.zst", "sbom.*", "vulnerabilities.json")  # they leave in the output folder
