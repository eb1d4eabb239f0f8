"""composeinfo, images and packages: valid by our own schema, as artifacts and at stable addresses."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator

from composes.models import Compose, Deliverable
from composes.releases import metadata, releasing
from debatomic.access.models import User
from hosts.kept import store
from hosts.models import Artifact
from tests.composes.released import REF, REFS, Factory

pytestmark = pytest.mark.django_db
DIGEST = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}


def mapping(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def by_name(values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values, "minProperties": 1}


ABOUT = mapping({
    "id": {"type": "string", "pattern": r"^[a-z0-9.-]+-\d{8}\.\d+$"}, "date": {"type": "string", "pattern": r"^\d{8}$"},
    "time": {"type": "string", "format": "date-time"}, "respin": COUNT, "label": TEXT,
    "state": {"enum": ["STARTED", "FINISHED", "FINISHED_INCOMPLETE", "DOOMED", "TERMINATED"]},
    "final": {"type": "boolean"}, "type": {"enum": ["production", "nightly"]},
})  # fmt: skip
COMMIT = {"type": "object", "required": ["commit", "ref", "refs", "version"],
          "properties": {"commit": DIGEST, "refs": by_name(TEXT)}}  # fmt: skip
IMAGE = mapping({
    "path": {"type": "string", "pattern": "^https?://"}, "name": TEXT, "size": COUNT, "type": TEXT, "format": TEXT,
    "arch": TEXT, "subvariant": TEXT, "mtime": COUNT, "bootable": {"type": "boolean"},
    "checksums": mapping({"sha256": DIGEST}),
})  # fmt: skip
PACKAGE = mapping({"name": TEXT, "version": TEXT, "architecture": TEXT, "size": COUNT, "sha256": DIGEST, "path": TEXT,
                   "category": {"const": "binary"}})  # fmt: skip
PAYLOADS = {
    "composeinfo": {
        "release": mapping({"name": TEXT, "title": TEXT, "revision": COUNT, "version": TEXT}),
        "variants": by_name(mapping({"id": TEXT, "title": TEXT, "architectures": {"type": "array", "items": TEXT},
                                     "commits": by_name(COMMIT)})),
    },
    "images": {"images": by_name(by_name({"type": "array", "items": IMAGE}))},
    "packages": {"packages": by_name(by_name(by_name(by_name(PACKAGE))))},
}  # fmt: skip


def schema(name: str) -> dict[str, Any]:
    header = mapping({"type": {"const": f"debatomic.{name}"}, "version": {"const": "1.0"}})
    return mapping({"header": header, "payload": mapping({"compose": ABOUT, **PAYLOADS[name]})})


@pytest.fixture
def compose(factory: Factory) -> Compose:
    made = factory.compose(published=False)
    task = made.task.children.get(method="compose-arch")
    sha256, _ = store.add(io.BytesIO(b"a disk"))
    disk = store.record(task, name="disk.raw.zst", kind=Artifact.Kind.IMAGE, media_type="application/octet-stream",
                        sha256=sha256)  # fmt: skip
    Deliverable.objects.create(compose=made, kind="raw", architecture="amd64", name="disk.raw.zst", artifact=disk)
    factory.publish(made)
    return Compose.objects.for_lists().get(pk=made.pk)


@pytest.mark.parametrize("name", sorted(metadata.DOCUMENTS))
def test_it_is_valid_kept_and_served(name: str, compose: Compose, client: Client) -> None:
    document = client.get(f"/composes/{compose.pk}/{name}.json").json()
    Draft202012Validator(schema(name), format_checker=Draft202012Validator.FORMAT_CHECKER).validate(document)
    artifact = compose.artifacts.get(name=f"{name}.json")
    assert json.loads(store.open(artifact.sha256).read()) == document
    assert client.get(f"/composes/{compose.pk}/other.json").status_code == 404


def test_it_says_what_was_made(compose: Compose, users: dict[str, User]) -> None:
    releasing.set_label(compose, "RC-1.2", by=users["release-manager"])
    info = metadata.composeinfo(compose)["payload"]
    assert (info["compose"]["id"], info["compose"]["label"], info["compose"]["final"]) == (
        compose.identity, "RC-1.2", True)  # fmt: skip
    commit = info["variants"]["minimal"]["commits"]["amd64"]
    assert (commit["ref"], commit["refs"], commit["commit"]) == (REF, REFS, "1" * 64)
    (image,) = metadata.images(compose)["payload"]["images"]["minimal"]["amd64"]
    assert (image["size"], image["format"], image["bootable"]) == (6, "raw.zst", True)
    assert list(metadata.packages(compose)["payload"]["packages"]["minimal"]["amd64"]["apt"]) == ["apt_1.0_amd64"]
    kept = compose.artifacts.get(name="composeinfo.json")
    assert json.loads(store.open(kept.sha256).read())["payload"]["compose"]["label"] == "RC-1.2", "kept anew"
