"""The registry of containers: what is finished is there to pull by tag and by digest; nothing else is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from builds.models import Target
from composes.models import Compose
from composes.pipeline.container import content, image
from composes.pipeline.container.image import About
from debatomic.access.models import User
from hosts import hub
from hosts.kept import store
from hosts.models import Artifact, Host, State, Task
from tests import scene

Make = Callable[..., Compose]
NAME = "/v2/debian-atomic/minimal"


def archive(folder: Path, version: str) -> tuple[Path, Path]:
    """A container of one small file, and its manifest."""
    tree = folder / "tree"
    tree.mkdir(parents=True)
    (tree / "version").write_text(version)
    about = About(architecture="amd64", date=1, labels={}, name=f"x:{version}", compression="gzip")
    blobs = image.packed({("base",): list(content.entries(tree))}, folder, about, lambda count: None)
    (folder / "container.json").write_bytes(image.write_archive(folder / "container.oci.tar", about, blobs))
    return folder / "container.oci.tar", folder / "container.json"


@pytest.fixture
def composed(somebody: User, target: Target, host: Host, tmp_path: Path) -> Make:
    """Makes composes with a container whose file holds the version."""

    def make(version: str, *, ends_well: bool = True, public: bool = True) -> Compose:
        number = Compose.objects.count()
        compose = scene.compose(somebody, target.channel, number=number, public=public)
        task = scene.begin(compose, host)
        kinds = zip(archive(tmp_path / str(number), version), ("oci", "oci-manifest"), strict=True)
        files, told = [], []
        for path, kind in kinds:
            files.append(hub.File(name=path.name, kind=Artifact.Kind.METADATA, sha256=store.put(path)[0]))
            told.append({"kind": kind, "name": path.name, "path": path.name, "facts": {}})
        result = {"version": version, "ref": "r", "commit": "c", "deliverables": told, "container": {
            "digest": f"sha256:{files[1].sha256}", "layers": 1, "bytes": 100, "name": f"x:{version}",
            "rules": [{"rule": "kernel", "fatal": True, "details": []}]}}  # fmt: skip
        assert task.claim is not None
        assert hub.finish(task.claim, result, files)
        if not ends_well:
            Task.objects.filter(pk=compose.task_id).update(state=State.FAILED)
        return Compose.objects.get(pk=compose.pk)

    return make


def pulled(client: Client, reference: str) -> tuple[Mapping[str, Any], list[bytes]]:
    """What a client of registries does: the manifest, then every blob, each checked against its digest."""
    answer = client.get(f"{NAME}/manifests/{reference}")
    assert answer.status_code == 200, answer.content
    assert answer["Docker-Content-Digest"] == f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    manifest = json.loads(answer.content)
    assert answer["Content-Type"] == manifest["mediaType"]
    blobs = []
    for each in (manifest["config"], *manifest["layers"]):
        got = client.get(f"{NAME}/blobs/{each['digest']}")
        blobs.append(b"".join(got))
        assert f"sha256:{hashlib.sha256(blobs[-1]).hexdigest()}" == each["digest"]
        head = client.head(f"{NAME}/blobs/{each['digest']}")
        assert head["Content-Length"] == got["Content-Length"] == str(each["size"])
    return manifest, blobs


def test_what_is_finished_is_pulled_by_tag_and_by_digest(composed: Make, client: Client) -> None:
    composed("13.1")
    composed("13.2")
    assert client.get("/v2/").status_code == 200
    assert client.get(f"{NAME}/tags/list").json() == {
        "name": "debian-atomic/minimal",
        "tags": ["13.2", "13.1", "latest"],
    }
    latest, _ = pulled(client, "latest")
    assert latest == pulled(client, "13.2")[0] != pulled(client, "13.1")[0]
    digest = client.get(f"{NAME}/manifests/13.1")["Docker-Content-Digest"]
    assert pulled(client, digest)[0] == pulled(client, "13.1")[0]
    assert "immutable" in client.get(f"{NAME}/manifests/{digest}")["Cache-Control"]
    assert client.get(f"{NAME}/manifests/latest")["Cache-Control"] == "no-cache"


def test_what_failed_or_is_not_public_is_not_handed_out(
    composed: Make, client: Client, client_of: Callable[[str], Client]
) -> None:
    composed("13.1", ends_well=False)
    assert client.get(f"{NAME}/tags/list").status_code == 404
    composed("13.2", public=False)
    hidden = client.get(f"{NAME}/manifests/13.2")
    assert (hidden.status_code, hidden.json()["errors"][0]["code"]) == (404, "MANIFEST_UNKNOWN")
    manifest, _ = pulled(client_of("viewer"), "13.2")
    secret = client.get(f"{NAME}/blobs/{manifest['layers'][0]['digest']}")
    assert (secret.status_code, secret.json()["errors"][0]["code"]) == (404, "BLOB_UNKNOWN")


@pytest.mark.parametrize("address", [f"{NAME}/manifests/latest", f"{NAME}/blobs/sha256:{'0' * 64}",
                                     f"{NAME}/blobs/latest", "/v2/no/such/tags/list"])  # fmt: skip
def test_what_is_not_there_is_said_as_registries_do(address: str, client: Client, db: None) -> None:
    answer = client.get(address)
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["message"]
    assert client.put(address).status_code == 405


def test_a_closed_site_hands_out_nothing(composed: Make, client: Client, settings: Any) -> None:
    composed("13.1")
    settings.PUBLIC_READING = False
    for address in ("/v2/", f"{NAME}/tags/list", f"{NAME}/manifests/latest", f"{NAME}/blobs/sha256:{'0' * 64}"):
        assert client.get(address).status_code == 401


def test_the_next_compose_gets_the_manifest_of_the_last(
    composed: Make, somebody: User, client_of: Callable[[str], Client]
) -> None:
    last = composed("13.1")
    definition = last.revision.definition
    sha256 = Compose.objects.last_manifest(definition, "minimal", "amd64")
    assert sha256 == last.artifacts.get(name="container.json").sha256
    assert Compose.objects.last_manifest(definition, "minimal", "arm64") == ""
    submitted = Compose.objects.submit(definition=definition, variant="minimal", by=somebody)
    assert submitted.task.children.get(method="compose-arch").request["previous_container"] == sha256


def test_the_page_shows_the_container_and_files_in_groups(composed: Make, client: Client) -> None:
    page = client.get(composed("13.1").get_absolute_url()).content.decode()
    assert "bootc switch testserver/debian-atomic/minimal:13.1" in page
    assert "1 rules, 0 with findings" in page
    assert page.index('<h3 class="card-part">Container</h3>') < page.index("container.oci.tar")
