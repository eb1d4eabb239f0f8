"""The editor of definitions: what is checked while one writes, what is saved, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from composes.models import Definition, Revision
from debatomic.access.models import AuditEntry, User
from tests import scene

pytestmark = pytest.mark.usefixtures("world")
EDIT = "/definitions/debian-atomic/edit/"
SERVER = scene.TREEFILE.replace("minimal: {packages: [systemd]}", "minimal: {}, server: {packages: [openssh-server]}")


def posted(*files: tuple[str, str], base: int = 1, **more: str) -> dict[str, Any]:
    """What a browser sends for these files, as name and text."""
    data: dict[str, Any] = {"file-TOTAL_FORMS": len(files), "file-INITIAL_FORMS": 0, "base": base, "main": "a.yaml"}
    for number, (name, text) in enumerate(files):
        data |= {f"file-{number}-name": name, f"file-{number}-text": text.replace("\n", "\r\n")}
    return data | more


@pytest.fixture
def manager(client_of: Callable[[str], Client]) -> Client:
    return client_of("release-manager")


def test_a_change_becomes_the_next_revision_with_author_and_difference(manager: Client, users: dict[str, User]) -> None:
    answer = manager.post(EDIT, posted(("a.yaml", SERVER), ("", ""), message="a server"), follow=True)
    revision = Definition.objects.get().latest
    assert revision and (revision.number, revision.message) == (2, "a server")
    assert revision.created_by == users["release-manager"] and revision.files == {"a.yaml": SERVER}
    assert set(revision.variants) == {"minimal", "server"}
    html = answer.content.decode()
    assert "Saved as debian-atomic r2." in html and "<ins>+variants: {minimal: {}, server:" in html
    assert AuditEntry.objects.filter(act="definition.revise", thing="debian-atomic").exists()


def test_what_is_unchanged_makes_no_revision_and_what_goes_back_makes_one(manager: Client) -> None:
    manager.post(EDIT, posted(("a.yaml", SERVER)))
    manager.post(EDIT, posted(("a.yaml", SERVER), base=2))
    assert Revision.objects.count() == 2
    manager.post(EDIT, posted(("a.yaml", scene.TREEFILE), base=2))
    assert Revision.objects.count() == 3


@pytest.mark.parametrize(("data", "sentence"), [
    (posted(("a.yaml", "name: debian-atomic\npakages: []\n")), "a.yaml:2: unknown key pakages; did you mean packages?"),
    (posted(("a.yaml", SERVER), base=0), "Somebody saved revision 1 meanwhile."),
    (posted(("a.yaml", SERVER.replace("name: debian-atomic", "name: other"))), "names the definition other, not"),
    (posted(("../a.yaml", SERVER)), "is no name for a treefile."),
    (posted(("a.txt", SERVER)), "is no name for a treefile."),
    (posted(("a.yaml", "[" * 100_000)), "nested too deeply"),
    (posted(("a.yaml", "# " + "x" * (256 << 10))), "at most 50 files with 256 KiB together"),
    (posted(("", "")), "Name a file, such as my-system.yaml."),
])  # fmt: skip
def test_what_is_refused_says_why_and_changes_nothing(data: dict[str, Any], sentence: str, manager: Client) -> None:
    answer = manager.post(EDIT, data)
    assert answer.status_code == 422 and sentence in answer.content.decode()
    assert Revision.objects.count() == 1
    assert data["file-0-text"][:50] in answer.content.decode(), "what was written is not lost"


def test_a_new_definition_has_a_name_of_its_own(manager: Client) -> None:
    taken = manager.post("/definitions/new/", posted(("a.yaml", SERVER), base=0))
    assert "There is a definition debian-atomic already." in taken.content.decode()
    made = manager.post("/definitions/new/", posted(("b.yaml", SERVER.replace("debian-atomic", "mine")), base=0))
    assert made["Location"] == "/definitions/mine/1/"


@pytest.mark.parametrize(("text", "words"), [
    (SERVER, ["server for amd64: trixie, 1 packages named", "<h3>minimal for amd64</h3>", "<del>- packages: systemd"]),
    ("name: debian-atomic\nsuit: x\n", ["a.yaml:2: unknown key suit; did you mean suite?"]),
    ("name: debian-atomic\nsuite: trixie\n", ["nothing can be composed yet"]),
])  # fmt: skip
def test_the_text_is_checked_while_one_writes(text: str, words: list[str], manager: Client) -> None:
    data = posted(("a.yaml", text), definition="debian-atomic")
    answer = manager.post("/definitions/check/", data, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert not [word for word in words if word not in answer.content.decode()]
    assert Revision.objects.count() == 1


def test_the_resolved_form_is_a_treefile(client_of: Callable[[str], Client]) -> None:
    told = client_of("visitor").get("/definitions/debian-atomic/1/minimal/amd64.json").json()
    assert told["packages"] == ["systemd"] and told["variants"] == {"minimal": {}}
