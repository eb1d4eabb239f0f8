"""What of a compose its publishing signs, and where the signatures are."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from composes.models import Compose, Deliverable
from composes.pipeline.publishing.attesting import REFERENCE
from hosts.models import Artifact, Task
from hosts.registry import Job, KeptFile

MEDIA = {"SHA256SUMS": "text/plain", "SHA256SUMS.asc": "application/pgp-signature"}
KIND = "signature"


def wanted(compose: Compose, architecture: str, version: str) -> dict[str, Any]:
    """Files with their SHA-256, and the container's digest with the name it is pulled by."""
    rows = compose.deliverables.filter(architecture=architecture, artifact__isnull=False).exclude(kind=KIND)
    kept = list(rows.select_related("artifact"))
    files = {each.artifact.name: each.artifact.sha256 for each in kept if each.artifact}
    digest = next((each.facts.get("digest", "") for each in kept if each.kind == "oci"), "")
    name = reference(compose, version)
    if not digest or not REFERENCE.match(name):  # an address by which no container can be pulled
        return {"files": files}
    return {"files": files, "digest": digest, "reference": name}


def reference(compose: Compose, version: str) -> str:
    """The name of its container in this application's registry."""
    host = urlsplit(settings.PUBLIC_ADDRESS).netloc.lower()
    return f"{host}/{compose.revision.definition.name}/{compose.variant}:{version}"


def options(job: Job) -> list[str]:
    """For the pipeline's publish."""
    if not (what := job.request.get("signed")):
        return []
    path = job.folder / "signed.json"
    path.write_text(json.dumps(what))
    return ["--attest", str(path)]


def files(job: Job, names: list[str]) -> tuple[KeptFile, ...]:
    """The signatures, as artifacts."""
    return tuple(KeptFile(path=job.output / name, name=name, kind=Artifact.Kind.METADATA,
                          media_type=MEDIA.get(name, "application/octet-stream")) for name in names)  # fmt: skip


def record(compose: Compose, task: Task) -> None:
    """They are deliverables like what they sign."""
    for artifact in task.artifacts.all():
        if artifact.name in task.result.get("attested", ()):
            Deliverable.objects.update_or_create(
                compose=compose, architecture=task.request.get("architecture", ""), kind=KIND, name=artifact.name,
                defaults={"artifact": artifact},
            )  # fmt: skip
