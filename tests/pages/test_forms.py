"""The submit forms: what is refused is said at its field, with what to do; what is good leads to its page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import MULTIPART_CONTENT

from builds.models import Build, Target
from composes.models import Compose
from tests import scene

TARGET = {"target": "trixie"}


def uploads(dsc: Path, *, without: str = "") -> list[SimpleUploadedFile]:
    return [
        SimpleUploadedFile(path.name, path.read_bytes())
        for path in sorted(dsc.parent.iterdir())
        if path.name != without
    ]


@pytest.mark.parametrize(
    "fields, field, sentence",
    [
        ({}, "source", "Name a source package, or upload one below."),
        ({"source": "figlet", "target": "sid"}, "target", "Select a valid choice."),
        ({"source": "x" * 101}, "source", "at most 100 characters"),
    ],
)
def test_a_build_is_refused_at_its_field(
    fields: dict[str, str], field: str, sentence: str, target: Target, client_of: Callable[[str], Client]
) -> None:
    response = client_of("packager").post("/builds/new/", {**TARGET, **fields})

    assert response.status_code == 422
    assert sentence in response.context["form"].errors[field][0]
    html = response.content.decode()
    assert f'aria-describedby="id_{field}-help id_{field}-error"' in html
    assert not Build.objects.exists()


def test_a_name_and_files_together_are_refused(
    target: Target, client_of: Callable[[str], Client], tmp_path: Path
) -> None:
    files = uploads(scene.source_package(tmp_path / "tiny"))
    response = client_of("packager").post("/builds/new/", {**TARGET, "source": "figlet", "files": files})

    assert response.context["form"].errors["files"] == ["Give either a source package's name or its files, not both."]


def test_an_upload_becomes_a_build(target: Target, client_of: Callable[[str], Client], tmp_path: Path) -> None:
    dsc = scene.source_package(tmp_path / "tiny")
    client = client_of("packager")
    response = client.post("/builds/new/", {**TARGET, "files": uploads(dsc), "scratch": "on"}, MULTIPART_CONTENT)

    build = Build.objects.get()
    assert response["Location"] == f"/builds/{build.pk}/"
    assert (build.source, build.version, build.scratch) == ("tiny", "1.0", True)
    page = client.get(response["Location"]).content.decode()
    assert "tiny 1.0 is submitted." in page
    assert "tiny_1.0.tar.xz" in page


def test_a_missing_file_of_an_upload_is_named(
    target: Target, client_of: Callable[[str], Client], tmp_path: Path
) -> None:
    dsc = scene.source_package(tmp_path / "tiny")
    files = uploads(dsc, without="tiny_1.0.tar.xz")
    response = client_of("packager").post("/builds/new/", {**TARGET, "files": files}, MULTIPART_CONTENT)

    assert response.status_code == 422
    assert "tiny_1.0.tar.xz" in response.context["form"].errors["files"][0]
    assert not Build.objects.exists()


@pytest.fixture
def definition(somebody: Any, target: Target) -> str:
    scene.compose(somebody, target.channel)
    Compose.objects.all().delete()
    return "debian-atomic/minimal"


@pytest.mark.parametrize(
    "fields, field, sentence",
    [
        ({}, "what", "This field is required."),
        ({"what": "debian-atomic/no-such"}, "what", "Select a valid choice."),
        (
            {"what": "debian-atomic/minimal", "architectures": "s390x"},
            "architectures",
            "minimal is not written for s390x; it is for amd64.",
        ),
    ],
)
def test_a_compose_is_refused_at_its_field(
    fields: dict[str, str], field: str, sentence: str, definition: str, client_of: Callable[[str], Client]
) -> None:
    response = client_of("release-manager").post("/composes/new/", fields)

    assert response.status_code == 422
    assert sentence in response.context["form"].errors[field][0]
    assert not Compose.objects.exists()


def test_a_compose_is_submitted(definition: str, client_of: Callable[[str], Client]) -> None:
    response = client_of("release-manager").post("/composes/new/", {"what": definition})

    compose = Compose.objects.get()
    assert response["Location"] == f"/composes/{compose.pk}/"
    assert (compose.variant, compose.architectures) == ("minimal", ["amd64"])


def test_a_host_is_disabled_with_a_comment(host: Any, client_of: Callable[[str], Client]) -> None:
    client = client_of("administrator")
    client.post(f"/hosts/{host}/disable/", {"reason": "New disk"})

    host.refresh_from_db()
    assert (host.state, host.comment) == ("disabled", "New disk")
    assert "New disk" in client.get("/hosts/").content.decode()


def test_forms_ask_for_a_token_of_the_page(world: dict[str, Any], users: dict[str, Any]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(users["administrator"], backend="django.contrib.auth.backends.ModelBackend")
    response = client.post(f"/builds/{world['waiting']}/cancel/")

    assert response.status_code == 403
    assert "This form is too old" in response.content.decode()
