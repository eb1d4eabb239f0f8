"""Trying something in a chroot: what is asked, what the host is told, what is kept, what the page says."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from chroots import editing
from chroots.models import Chroot, ChrootUse
from chroots.trying import pages, running, submitting
from chroots.trying.submitting import Wanted, submit
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.kept import store
from hosts.models import Artifact, Channel, Host, State, Task
from hosts.registry import Job
from tests import scene

pytestmark = pytest.mark.django_db
SMALL = "suite: trixie\narchitecture: amd64\nvariant: minbase\n"
ADDRESS = "/chroots/small/try/"


@pytest.fixture
def small(users: dict[str, User], default_channel: Channel) -> Chroot:
    return editing.create("small", SMALL, by=users["administrator"])


@pytest.mark.parametrize("wanted, field", [
    (Wanted(), "script"), (Wanted(packages=("Fig let",)), "packages"), (Wanted(packages=("-y",)), "packages"),
    (Wanted(packages=("a!",) * 300), "packages"), (Wanted(places=("etc/passwd",)), "places"),
    (Wanted(places=("/a/../../etc",)), "places"), (Wanted(places=("/a\nb",)), "places"),
    (Wanted(script="true", time_limit=10**6), "time_limit"), (Wanted(script="a\0b"), "script"),
    (Wanted(script="x" * 30_000), "script"), (Wanted(packages=("jq",), network=True), "network"),
    (Wanted(script="id", network=True), "network"),
])  # fmt: skip
def test_what_cannot_be_tried(small: Chroot, users: dict[str, User], wanted: Wanted, field: str) -> None:
    with pytest.raises(InputError) as refused:
        submit(small, wanted, by=users["packager"])
    assert refused.value.field == field and not Task.objects.exists()


@pytest.mark.parametrize("names", [["../x"], [".hidden"], ["a", "a"], ["-f"], ["a\nb"], [f"f{n}" for n in range(51)]])
def test_what_cannot_be_copied_in(small: Chroot, users: dict[str, User], names: list[str]) -> None:
    uploads = [(name, io.BytesIO(b"x")) for name in names]
    if names == ["../x"]:  # as browsers of old gave it: the name alone counts
        assert submit(small, Wanted(script="true"), uploads, by=users["packager"]).request["files"][0]["name"] == "x"
        return
    with pytest.raises(InputError) as refused:
        submit(small, Wanted(script="true"), uploads, by=users["packager"])
    assert refused.value.field == "files" and not Task.objects.exists()


def test_a_disabled_chroot_is_not_tried(small: Chroot, users: dict[str, User]) -> None:
    editing.change(small, enabled=False, by=users["administrator"])
    with pytest.raises(InputError, match="small is disabled"):
        submit(small, Wanted(script="true"), by=users["packager"])


def test_what_the_host_is_told(small: Chroot, users: dict[str, User], tmp_path: Path) -> None:
    wanted = Wanted(packages=("jq", "figlet=2.2.5-3"), script="--id\n", places=("/build/x",), network=True)
    task = submit(small, wanted, [("in.txt", io.BytesIO(b"given"))], by=users["administrator"])
    job = Job(task=task.pk, attempt=1, claim="", method=task.method, title="", architecture="amd64",
              request=task.request, limits=task.limits, folder=tmp_path, fetch=store.copy_to)  # fmt: skip
    command = running.try_command(job)
    text = " ".join(command[command.index("try") :])
    assert text.startswith(f"try small --output {tmp_path}/output --state ")
    for part in ("--install jq --install figlet=2.2.5-3", f"--copy-in {tmp_path}/given/in.txt", "--copy-out /build/x",
                 "--time-limit 3600 --idle-limit 1800 --disk 8589934592", "--user builder", "--run=--id\n --network",
                 f"--definitions {tmp_path}/definitions"):  # fmt: skip
        assert part in text
    assert (tmp_path / "given/in.txt").read_bytes() == b"given"
    assert (tmp_path / "definitions/small.yaml").read_text() == SMALL
    assert (task.public, task.architecture, ChrootUse.objects.get().task_id) == (False, "amd64", task.pk)
    entry = AuditEntry.objects.get(act="chroot.try")
    assert (entry.details["network"], entry.details["task"]) == (True, task.pk)


def test_what_is_kept(tmp_path: Path) -> None:
    told = {"status": 0, "changes": {}, "missing": [], "phases": [], "base": {}, "seconds": 1.0, "installed": ["a.deb"],
            "files": [{"name": "r.log", "path": "/r.log", "left_out": []}, {"name": "x.tar.gz"}]}  # fmt: skip
    (tmp_path / "output").mkdir()
    (tmp_path / "output/result.json").write_text(json.dumps(told))
    outcome = running.try_outcome(Job(task=1, attempt=1, claim="", method="", title="", architecture="", request={},
                                      limits={}, folder=tmp_path))  # fmt: skip
    assert [(file.name, file.media_type) for file in outcome.files] == [
        ("difference.json", "application/json"), ("r.log", "text/plain"), ("x.tar.gz", "application/octet-stream"),
    ]  # fmt: skip
    assert outcome.result["installed"] == 1


def test_the_form_submits_and_the_page_tells(
    small: Chroot, client_of: Callable[[str], Client], host: Host, users: dict[str, User], tmp_path: Path
) -> None:
    client = client_of("packager")
    assert 'name="network"' not in client.get(ADDRESS).content.decode()
    assert 'name="network"' in client_of("administrator").get(ADDRESS).content.decode()
    given = {"packages": "figlet, jq", "script": "id\r\ntrue", "places": "/build/a\n\n /build/b", "time_limit": "60",
             "network": "on", "files": [SimpleUploadedFile(name, b"1") for name in ("one.txt", "two.txt")]}  # fmt: skip
    response = client.post(ADDRESS, given)
    task = Task.objects.get()
    assert response["Location"] == f"/chroots/small/tries/{task.pk}/"
    assert (task.request["packages"], task.request["places"]) == (["figlet", "jq"], ["/build/a", "/build/b"])
    assert (task.request["script"], task.request["network"], task.limits["time_limit"]) == ("id\ntrue", False, 60)
    assert sorted(task.artifacts.values_list("name", flat=True)) == ["given-one.txt", "given-two.txt"]
    assert "id\ntrue" in client.get(response["Location"]).content.decode()
    hub.cancel(task, by=users["packager"])
    tried = scene.tried(small, host, tmp_path, by=users["packager"])
    text = client.get(f"/chroots/small/tries/{tried.pk}/").content.decode()
    for part in ("ended with status 3", "1 packages", "3.0 → 3.1", "/etc/&lt;b&gt;", "7 more files differ",
                 "a link to /etc/passwd", "given-input.txt", "Could not be copied out"):  # fmt: skip
        assert part in text, part
    assert f"/chroots/small/tries/{tried.pk}/" in client.get("/chroots/small/").content.decode()
    assert f"/chroots/small/tries/{tried.pk}/" in client.get(f"/tasks/{tried.pk}/").content.decode()


def test_a_difference_that_is_gone_is_told(
    small: Chroot, client_of: Callable[[str], Client], host: Host, users: dict[str, User], tmp_path: Path
) -> None:
    tried = scene.tried(small, host, tmp_path, by=users["packager"])
    page, client = f"/chroots/small/tries/{tried.pk}/", client_of("viewer")
    store.path(tried.artifacts.get(name="difference.json").sha256).unlink()
    pages._changes.cache_clear()
    assert "It cannot be shown here" in client.get(page).content.decode()
    Artifact.objects.filter(task=tried, name="difference.json").update(size=1 << 30)
    assert "It cannot be shown here" in client.get(page).content.decode()


def test_the_api_takes_files_and_names_fields(small: Chroot, client_of: Callable[[str], Client]) -> None:
    client, address = client_of("packager"), "/api/v1/chroots/small/try/"
    given = {"packages": ["figlet", "jq"], "script": "cat a.txt", "as_root": "true",
             "files": [SimpleUploadedFile("a.txt", b"1")]}  # fmt: skip
    made = client.post(address, given)
    assert made.status_code == 201, made.content
    task = Task.objects.get(pk=made.json()["id"])
    assert (task.request["packages"], task.request["user"]) == (["figlet", "jq"], "root")
    for wrong, field in (({"places": ["x"]}, "places"), ({"script": "id", "network": True}, "network"),
                         ({"time_limit": 0}, "time_limit")):  # fmt: skip
        answer = client.post(address, wrong, "application/json")
        assert (answer.status_code, list(answer.json())) == (400, [field])
    assert Task.objects.count() == 1


def test_a_host_runs_it_again_with_what_was_given(
    small: Chroot, host: Host, users: dict[str, User], tmp_path: Path
) -> None:
    task = submit(small, Wanted(script="true"), [("in.txt", io.BytesIO(b"given"))], by=users["packager"])
    claimed = hub.claim(host)
    assert claimed is not None and claimed.claim is not None and hub.start(claimed.claim)
    scene.fail(claimed, "It said no.", "build")
    hub.retry(Task.objects.get(pk=task.pk), by=users["administrator"])
    again = Task.objects.get(pk=task.pk)
    assert again.state == State.FREE and store.has(again.request["files"][0]["sha256"])
    assert submitting.GIVEN + "in.txt" in again.artifacts.values_list("name", flat=True)
