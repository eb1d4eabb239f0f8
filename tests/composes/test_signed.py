"""What publishing signs of a compose, and that the signatures are among its files."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from composes.models import Compose, Deliverable
from composes.releases import signed
from hosts import hub
from hosts.kept import store
from hosts.models import Artifact
from hosts.registry import Job
from tests import scene
from tests.composes.released import REF, Factory

pytestmark = pytest.mark.django_db
DIGEST = "sha256:" + "c" * 64


@pytest.fixture
def compose(factory: Factory) -> Compose:
    made = factory.compose(published=False)
    task = made.task.children.get(method="compose-arch")
    for kind, name in (("raw", "disk.raw.zst"), ("oci", "container.oci.tar")):
        sha256, _ = store.add(io.BytesIO(name.encode()))
        kept = store.record(task, name=name, kind=Artifact.Kind.IMAGE, media_type="application/octet-stream",
                            sha256=sha256)  # fmt: skip
        Deliverable.objects.create(compose=made, kind=kind, architecture="amd64", name=name, artifact=kept,
                                   facts={"digest": DIGEST} if kind == "oci" else {})  # fmt: skip
    return Compose.objects.for_lists().get(pk=made.pk)


def test_all_files_and_the_container_by_its_name_here(compose: Compose, settings: Any) -> None:
    settings.PUBLIC_ADDRESS = "https://Atomic.example.org"
    what = signed.wanted(compose, "amd64", "13.1")
    assert sorted(what["files"]) == ["container.oci.tar", "disk.raw.zst"]
    assert (what["digest"], what["reference"]) == (DIGEST, "atomic.example.org/debian-atomic/minimal:13.1")
    settings.PUBLIC_ADDRESS = "http://[::1]:8000"
    assert set(signed.wanted(compose, "amd64", "13.1")) == {"files"}
    assert signed.wanted(compose, "arm64", "13.1") == {"files": {}}


def job(folder: Path, **request: Any) -> Job:
    return Job(task=1, attempt=1, claim="", method="publish", title="", architecture="amd64", request=request,
               limits={}, folder=folder)  # fmt: skip


def test_the_pipeline_is_told_in_a_file(tmp_path: Path) -> None:
    _, path = signed.options(job(tmp_path, signed={"files": {"a": "b"}}))
    assert json.loads(Path(path).read_text()) == {"files": {"a": "b"}}
    assert signed.options(job(tmp_path)) == []


def test_signatures_are_deliverables_and_on_the_page(compose: Compose, factory: Factory, client: Client) -> None:
    task = scene.begin(compose, factory.host)
    assert task.method == "publish" and task.claim and task.request["architecture"] == "amd64"
    sha256, _ = store.add(io.BytesIO(b"sums"))
    file = hub.File(name="SHA256SUMS", kind=Artifact.Kind.METADATA, sha256=sha256)
    facts = {"ref": REF, "commit": task.request["commit"], "previous": "", "signed_by": ["ABCD"], "objects": 3,
             "size": 1000, "delta": None, "attested": ["SHA256SUMS"]}  # fmt: skip
    assert hub.finish(task.claim, facts, [file])
    assert compose.deliverables.get(kind=signed.KIND).name == "SHA256SUMS"
    page = client.get(f"/composes/{compose.pk}/").content.decode()
    assert "Signatures" in page and "SHA256SUMS" in page
    assert "SHA256SUMS" not in signed.wanted(compose, "amd64", "13.1")["files"]
