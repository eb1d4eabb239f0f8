"""The OSTree repository over HTTP: its files, and nothing beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client


@pytest.fixture
def repository(home: Path) -> Path:
    repo = home / "ostree" / "repo"
    (repo / "objects/4f").mkdir(parents=True)
    (repo / "objects/4f/1d.filez").write_bytes(b"content")
    (repo / "config").write_text("[core]\nmode=archive-z2\n")
    ref = repo / "refs/heads/debian-atomic/trixie/amd64/minimal"
    ref.parent.mkdir(parents=True)
    ref.write_text("4f1d" * 16 + "\n")
    (repo.parent / ".repo.lock").touch()
    (home / "secret-key").write_text("secret")
    (repo / "way-out").symlink_to(home / "secret-key")
    return repo


def test_files_are_served_as_they_are(repository: Path, client: Client) -> None:
    thing = client.get("/ostree/repo/objects/4f/1d.filez")

    assert b"".join(thing) == b"content"
    assert thing["Content-Type"] == "application/octet-stream"
    assert thing["Content-Length"] == "7"
    assert "immutable" in thing["Cache-Control"]
    assert client.get("/ostree/repo/config")["Cache-Control"] == "no-cache"


def test_what_is_known_already_is_not_sent_again(repository: Path, client: Client) -> None:
    first = client.get("/ostree/repo/config")

    assert client.get("/ostree/repo/config", headers={"If-None-Match": first["ETag"]}).status_code == 304
    assert client.get("/ostree/repo/config", headers={"If-Modified-Since": first["Last-Modified"]}).status_code == 304
    assert client.get("/ostree/repo/config", headers={"If-Modified-Since": "gibberish"}).status_code == 200


@pytest.mark.parametrize(
    "name",
    ["repo", "repo/objects", "repo/objects/4f/", "repo/../secret-key", "../secret-key", "repo/%2e%2e/%2e%2e/secret-key",
     "repo/way-out", ".repo.lock", "/etc/passwd", "repo/no-such-file", "repo/config%00"],
)  # fmt: skip
def test_nothing_else_is(name: str, repository: Path, client: Client, db: None) -> None:
    assert client.get(f"/ostree/{name}").status_code == 404


def test_the_front_lists_refs_and_how_to_follow_them(repository: Path, client: Client, db: None) -> None:
    html = client.get("/ostree/").content.decode()

    assert "debian-atomic/trixie/amd64/minimal" in html
    assert "ostree remote add --no-gpg-verify debatomic http://testserver/ostree/repo" in html
