"""Definitions by the API: made, revised, refused with the line that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests import scene

pytestmark = pytest.mark.usefixtures("composed")
REVISE = "/api/v1/definitions/debian-atomic/revise/"
SERVER = scene.TREEFILE.replace("minimal: {packages: [systemd]}", "server: {packages: [openssh-server]}")


def test_a_script_saves_a_revision_and_reads_it_back(client_of: Callable[[str], Client]) -> None:
    client = client_of("release-manager")
    body = {"files": {"a.yaml": SERVER}, "base": 1, "message": "a server"}
    told = client.post(REVISE, body, content_type="application/json").json()
    assert (told["number"], told["created_by"], told["files"]) == (2, "release-manager", {"a.yaml": SERVER})
    listed = client.get("/api/v1/definitions/debian-atomic/revisions/").json()["results"]
    assert [(each["number"], each["message"]) for each in listed] == [(2, "a server"), (1, "")]
    assert client.get("/api/v1/definitions/debian-atomic/revisions/2/").json() == told
    assert client.get("/api/v1/definitions/debian-atomic/").json()["revision"] == 2


@pytest.mark.parametrize(("body", "told"), [
    ({"files": {"a.yaml": "suit: x\n"}, "base": 1}, "a.yaml:1: unknown key suit; did you mean suite?"),
    ({"files": {"a.yaml": SERVER}}, "Somebody saved revision 1 meanwhile."),
    ({"files": {"a.yaml": SERVER, "b.yaml": "{}"}, "base": 1}, "Name the one of the files that is to be run."),
    ({"files": {}, "base": 1}, "may not be empty"),
    ({"files": {"a.yaml": SERVER}, "main": "c.yaml", "base": 1}, "Name the one of the files"),
])  # fmt: skip
def test_a_mistake_is_told(body: dict[str, Any], told: str, client_of: Callable[[str], Client]) -> None:
    answer = client_of("administrator").post(REVISE, body, content_type="application/json")
    assert answer.status_code == 400 and told in answer.content.decode()


def test_a_new_definition_takes_its_name_from_its_file(client_of: Callable[[str], Client]) -> None:
    client = client_of("release-manager")
    body = {"files": {"b.yaml": SERVER.replace("debian-atomic", "mine")}}
    assert client.post("/api/v1/definitions/", body, content_type="application/json").status_code == 201
    assert client.get("/api/v1/definitions/mine/").json()["variants"] == {
        "server": {"title": "", "architectures": ["amd64"]}
    }
