"""composeinfo, images and packages of a compose as JSON, in the manner of Fedora's productmd.

Each has `header` (its type and version) and `payload`, whose `compose` part is the same in all three.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.urls import reverse

from composes.comparing.comparison import locks_of
from composes.models import Compose, Deliverable
from composes.pipeline.packages.lock import Package
from debatomic.tools.errors import InputError
from hosts.kept import store
from hosts.models import Artifact, State, Task

Json = dict[str, Any]
VERSION = "1.0"
BOOTABLE = ("raw", "qcow2", "vmdk", "vhd", "iso")
FINAL_LABELS = ("RC", "Update", "SecurityFix")


def composeinfo(compose: Compose) -> Json:
    """What was composed: release, variant, and per architecture the commit with its refs."""
    made = _made(compose)
    commits = {task.architecture: _commit(task) for task in made}
    variant = {"id": compose.variant, "title": compose.revision.variants.get(compose.variant, {}).get("title", ""),
               "architectures": compose.architectures, "commits": commits}  # fmt: skip
    release = {"name": compose.revision.definition.name, "title": compose.revision.definition.title,
               "revision": compose.revision.number, "version": compose.version}  # fmt: skip
    return _document(compose, "composeinfo", release=release, variants={compose.variant: variant})


def images(compose: Compose) -> Json:
    """Every file that was delivered, by variant and architecture."""
    rows = compose.deliverables.select_related("artifact").filter(artifact__isnull=False)
    by_architecture: dict[str, list[Json]] = {}
    for each in rows:
        by_architecture.setdefault(each.architecture, []).append(_image(compose, each))
    return _document(compose, "images", images={compose.variant: by_architecture})


def packages(compose: Compose) -> Json:
    """Every binary package, by variant, architecture and source package: the counterpart of rpms.json."""
    found = {architecture: _by_source(lock.packages) for architecture, lock in sorted(locks_of(compose).items())}
    return _document(compose, "packages", packages={compose.variant: found})


DOCUMENTS: dict[str, Callable[[Compose], Json]] = {
    "composeinfo": composeinfo, "images": images, "packages": packages,
}  # fmt: skip


def text(document: Json) -> str:
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def keep(compose: Compose) -> None:
    """Make them artifacts of the compose; done again, they take the place of the earlier ones."""
    for name, document in DOCUMENTS.items():
        try:
            content = text(document(compose)).encode()
        except InputError:  # no lock is kept any more
            continue
        sha256, _ = store.add(io.BytesIO(content))
        store.record(compose.task, name=f"{name}.json", kind=Artifact.Kind.METADATA, media_type="application/json",
                     sha256=sha256)  # fmt: skip


def _document(compose: Compose, kind: str, **payload: Any) -> Json:
    kind_of_label = compose.label.partition("-")[0]
    about = {
        "id": compose.identity, "date": f"{compose.created_at:%Y%m%d}", "time": compose.created_at.isoformat(),
        "respin": int(compose.identity.rpartition(".")[2]), "label": compose.label, "state": compose.state,
        "final": kind_of_label in FINAL_LABELS, "type": "production" if compose.label else "nightly",
    }  # fmt: skip
    return {"header": {"type": f"debatomic.{kind}", "version": VERSION}, "payload": {"compose": about, **payload}}


def _made(compose: Compose) -> Iterable[Task]:
    return compose.task.children.filter(method="compose-arch", state=State.COMPLETED).order_by("pk")


def _commit(task: Task) -> Json:
    names = ("commit", "content_checksum", "version", "ref", "refs", "kernel")
    return {name: task.result[name] for name in names if name in task.result}


def _image(compose: Compose, each: Deliverable) -> Json:
    artifact = each.artifact
    assert artifact is not None
    address = reverse("artifact-download", args=[artifact.pk, artifact.name])
    return {
        "path": f"{settings.PUBLIC_ADDRESS}{address}", "name": each.name, "size": artifact.size, "type": each.kind,
        "format": "".join(Path(each.name).suffixes).lstrip("."), "arch": each.architecture,
        "subvariant": compose.variant, "mtime": int(each.created_at.timestamp()),
        "bootable": each.kind in BOOTABLE, "checksums": {"sha256": artifact.sha256},
    }  # fmt: skip


def _by_source(found: Iterable[Package]) -> dict[str, dict[str, Json]]:
    result: dict[str, dict[str, Json]] = {}
    for each in sorted(found, key=lambda package: (package.source, package.name)):
        result.setdefault(each.source, {})[f"{each.name}_{each.version}_{each.architecture}"] = {
            "name": each.name, "version": each.version, "architecture": each.architecture, "size": each.size,
            "sha256": each.sha256, "path": each.uri, "category": "binary",
        }  # fmt: skip
    return result
