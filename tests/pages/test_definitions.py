"""The editor of definitions: what is checked while one writes, what is saved, and what is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from composes.defining import attachments
from composes.models import Definition, Revision
from debatomic.access.models import AuditEntry, User
from hosts.kept import store
from hosts.models import Task
from tests import scene

pytestmark = pytest.mark.usefixtures("composed")
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


BLUEPRINT = b"version = '1'\n[customizations.kernel]\nappend = 'quiet'\n"
RECIPE = b"actions:\n- {action: debootstrap, suite: trixie}\n- {action: download, url: x}\n"


@pytest.mark.parametrize(("file", "content", "said"), [
    ("config.toml", BLUEPRINT, ("append: quiet", "config.yaml is added", "config.toml:1: version has no counterpart")),
    ("box.yaml", RECIPE, ("suite: trixie", "box.yaml is added", "box.yaml:3: the action download has no counterpart")),
    ("config.toml", b"[customizations]\nusr = 1\n", ("config.toml:2: unknown key usr; did you mean user?",)),
    ("config.toml", b"\xff", ("config.toml is no text.",)),
    ("image.iso", b"x", ("image.iso is neither a blueprint",)),
    ("", b"", ("Choose a file first.",)),
])  # fmt: skip
def test_a_blueprint_and_a_recipe_become_a_file_of_the_editor(
    manager: Client, file: str, content: bytes, said: tuple[str, ...]
) -> None:
    upload: dict[str, Any] = {"upload": SimpleUploadedFile(file, content)} if file else {}
    answer = manager.post(EDIT, posted(("a.yaml", SERVER), ("", ""), add="yes") | upload)
    html = answer.content.decode().replace("&#x27;", "'")
    assert answer.status_code == 200
    assert all(sentence in html for sentence in said)
    assert "openssh-server" in html, "what was written is not lost"
    assert Revision.objects.count() == 1, "nothing is saved yet"


def test_a_package_is_attached_and_composed_with(manager: Client, client_of: Callable[[str], Client]) -> None:
    package = b"!<arch>\ndebian-binary   and so on"
    name = "own-tool_1.0_all.deb"
    address = "/definitions/debian-atomic/packages/"
    assert client_of("packager").post(address).status_code == 403
    page = manager.post(address, {"file": SimpleUploadedFile(name, package)}, follow=True).content.decode()
    digest = hashlib.sha256(package).hexdigest()
    assert f"{{file: debs/{name}, sha256: {digest}}}" in page
    bad = manager.post(address, {"file": SimpleUploadedFile("xx_1_all.deb", b"no")}, follow=True).content.decode()
    assert "xx_1_all.deb is not a Debian package." in bad

    definition = Definition.objects.get()
    assert attachments.contents({digest, "0" * 64}) == {digest}
    assert store.path(digest).read_bytes() == package
    named = f"{SERVER}debs: [{{file: debs/{name}, sha256: {digest}}}]\n"
    manager.post(EDIT, posted(("a.yaml", named)))
    assert definition.latest
    assert attachments.of(definition.latest) == {f"debs/{name}": digest}
    manager.post("/composes/new/", {"what": "debian-atomic/server", "architectures": ""})
    task = Task.objects.filter(method="compose-arch").latest("pk")
    assert task.request["attachments"] == {f"debs/{name}": digest}

    attached = definition.attachments.get()
    api = manager.post("/api/v1/definitions/debian-atomic/attach/", {"file": SimpleUploadedFile(name, package)})
    assert (api.status_code, api.json()["sha256"]) == (201, digest)
    assert manager.post(f"{address}{attached.pk}/remove/").status_code == 302
    assert not definition.attachments.exists()
