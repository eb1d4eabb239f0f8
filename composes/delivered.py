"""What a compose kept, in the order in which people look for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from composes.models import Deliverable
from hosts.models import Artifact

GROUPS = {
    "Images": ("raw", "qcow2", "vmdk", "vhd", "iso", "tar"),
    "Container": ("oci", "oci-manifest"),
    "OSTree repository": ("repository", "commit"),
    "What is in it": ("spdx", "cyclonedx", "vulnerabilities", "lock", "result"),
    "Signatures": ("signature",),
    "Proofs of boot": ("serial-log", "screenshot"),
}
BY_ARTIFACT = {Artifact.Kind.IMAGE: "Images", Artifact.Kind.TREE: "OSTree repository",
               Artifact.Kind.METADATA: "What is in it", Artifact.Kind.PROOF: "Proofs of boot"}  # fmt: skip


def groups(artifacts: Iterable[Artifact], deliverables: Iterable[Deliverable]) -> dict[str, list[Artifact]]:
    """The artifacts by group; what is no deliverable goes by its artifact's kind, or to the other files."""
    known = {kind: title for title, kinds in GROUPS.items() for kind in kinds}
    of = {each.artifact_id: known.get(each.kind) for each in deliverables}
    found: dict[str, list[Artifact]] = {title: [] for title in (*GROUPS, "Other files")}
    for artifact in artifacts:
        title = of.get(artifact.pk) or BY_ARTIFACT.get(Artifact.Kind(artifact.kind), "Other files")
        found[title].append(artifact)
    return {title: members for title, members in found.items() if members}


def known_vulnerabilities(deliverables: Iterable[Deliverable]) -> list[dict[str, Any]]:
    """What the security tracker said of each architecture: `asked`, `reason`, `of`, `counts`, the list's `artifact`."""
    return [{**each.facts, "architecture": each.architecture, "artifact": each.artifact}
            for each in deliverables if each.kind == "vulnerabilities"]  # fmt: skip
