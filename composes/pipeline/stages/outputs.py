"""What else a tree becomes than a commit and a disk that boots."""

from __future__ import annotations

from composes.pipeline.graph import Stage
from composes.pipeline.stages import container, oci, tar, vhd, vmdk

STAGES: tuple[Stage, ...] = (oci.STAGE, vmdk.STAGE, vhd.STAGE, tar.STAGE, container.STAGE)
FILES = ("container.*", "root.tar.zst", "sbom.*", "vulnerabilities.json")  # they leave in the output folder
