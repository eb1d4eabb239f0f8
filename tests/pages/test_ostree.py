"""The OSTree repository over HTTP: its files, and nothing beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from composes.releases.ostree_views import tree
from debatomic.served_files import Files

OBJECT = f"objects/4f/{'1d' * 31}.filez"


@pytest.fixture
def repository(home: Path) -> Path:
    repo = home / "ostree" / "repo"
    (repo / "objects/4f").mkdir(parents=True)
    (repo / OBJECT).write_bytes(b"content")
    (repo / OBJECT).with_suffix(".commitmeta").write_bytes(b"signatures")
    (repo / "config").write_text("[core]\nmode=archive-z2\n")
    ref = repo / "refs/heads/debian-atomic/trixie/amd64/minimal"
    ref.parent.mkdir(parents=True)
    ref.write_text("4f1d" * 16 + "\n")
    (repo.parent / ".repo.lock").touch()
    (home / "secret-key").write_text("secret")
    (repo / "way-out").symlink_to(home / "secret-key")
    return repo


def test_files_are_served_as_they_are(repository: Path, client: Client) -> None:
    thing = client.get(f"/ostree/repo/{OBJECT}")

    assert b"".join(thing) == b"content"
    assert thing["Content-Type"] == "application/octet-stream"
    assert thing["Content-Length"] == "7"
    assert "immutable" in thing["Cache-Control"]
    assert client.get("/ostree/repo/config")["Cache-Control"] == "no-cache"
    signatures = client.get(f"/ostree/repo/{OBJECT.replace('filez', 'commitmeta')}")
    assert signatures["Cache-Control"] == "no-cache", "keys change"


def test_signatures_of_containers_are_beside_it(repository: Path, client: Client) -> None:
    path = repository.parent / "signatures/house/minimal@sha256=00/signature-1"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"signed")
    answer = client.get("/ostree/signatures/house/minimal@sha256=00/signature-1")
    assert (answer.status_code, answer.getvalue(), answer["Cache-Control"]) == (200, b"signed", "no-cache")


@pytest.mark.parametrize(("wanted", "status", "content", "told"), [
    ("bytes=3-", 206, b"tent", "bytes 3-6/7"),
    ("bytes=0-2", 206, b"con", "bytes 0-2/7"),
    ("bytes=-2", 206, b"nt", "bytes 5-6/7"),
    ("bytes=0-", 200, b"content", None),
    ("bytes=7-", 416, b"", "bytes */7"),
    ("lines=1-", 200, b"content", None),
])  # fmt: skip
def test_a_part_is_sent_where_a_part_is_asked_for(
    wanted: str, status: int, content: bytes, told: str | None, repository: Path, client: Client
) -> None:
    address = f"/ostree/repo/{OBJECT}"
    assert _asked_before_django(address, {"range": wanted}) == (status, content, told)
    answer = client.get(address, headers={"Range": wanted})
    assert (answer.status_code, answer.getvalue(), answer.get("Content-Range")) == (status, content, told)
    stale = client.get(address, headers={"Range": wanted, "If-Range": '"older"'})
    assert (stale.status_code, stale.getvalue()) == (200, b"content"), "it changed meanwhile: all of it"


def test_files_do_not_go_through_django(repository: Path) -> None:
    assert _asked_before_django("/ostree/repo/config", {})[0] == 200
    for other in ("/ostree/", "/composes/", "/ostree/repo/no-such-file", "/ostree/repo/../secret-key",
                  "/ostree/repo/way-out", "/ostree/repo/.hidden"):  # fmt: skip
        assert _asked_before_django(other, {}) == (299, b"pages", None), other
    assert _asked_before_django("/ostree/repo/config", {}, method="POST")[0] == 299


def _asked_before_django(path: str, headers: dict[str, str], *, method: str = "GET") -> tuple[int, bytes, str | None]:
    """Status, content and Content-Range of the ASGI application; 299 is what it leaves to Django."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def pages(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b"pages"})

    scope = {"type": "http", "method": method, "path": path,
             "headers": [(name.encode(), value.encode()) for name, value in headers.items()]}  # fmt: skip
    asyncio.run(Files(pages, tree)(scope, receive, send))
    told = dict(sent[0]["headers"]).get(b"Content-Range")
    return sent[0]["status"], b"".join(each["body"] for each in sent[1:]), told and told.decode()


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
