"""A build beside the archive: the task, what its page and the API show of it, and how its reports are served."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from builds.methods import compare_command, compare_outcome
from builds.models import Build, Comparison, Target
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.kept import store
from hosts.models import Artifact, Event, Host, Task
from hosts.registry import Job
from tests import scene

pytestmark = pytest.mark.django_db

DEB = "figlet_2.2.5-3_amd64.deb"
PACKAGES = [
    {"name": DEB, "verdict": "different", "note": "", "sha256": "1" * 64, "archive_sha256": "2" * 64,
     "archive_url": "http://mirror.example.org/x", "reports": [f"{DEB}.diffoscope.txt", f"{DEB}.diffoscope.html"]},
    {"name": "figlet-dbgsym_2.2.5-3_amd64.deb", "verdict": "absent", "note": "trixie has no such package",
     "sha256": "3" * 64, "archive_sha256": "", "archive_url": "", "reports": []},
]  # fmt: skip
RESULT = {"suite": "trixie", "counts": {"identical": 0, "different": 1, "absent": 1}, "packages": PACKAGES}


@pytest.fixture
def build(users: dict[str, User], target: Target, host: Host, tmp_path: Path) -> Build:
    """A completed build with one package."""
    made = scene.build(users["packager"], target)
    scene.complete(scene.begin(made, host), tmp_path)
    return Build.objects.get(pk=made.pk)


def compared(build: Build, by: User, host: Host, folder: Path) -> Comparison:
    """A comparison that found a difference."""
    comparison = build.compare(by=by)
    task = hub.claim(host)
    assert task == comparison.task and task.claim and hub.start(task.claim)
    files = []
    for name, media_type in (("txt", "text/plain"), ("html", "text/html")):
        path = folder / f"report.{name}"
        path.write_text(f"<script>alert('{name}')</script>")
        sha256, _ = store.put(path)
        kind = Artifact.Kind.OTHER
        files.append(hub.File(name=f"{DEB}.diffoscope.{name}", kind=kind, sha256=sha256, media_type=media_type))
    assert hub.finish(task.claim, RESULT, files)
    return Comparison.objects.get(pk=comparison.pk)


def test_a_comparison_is_a_task_with_the_packages_of_the_build(build: Build, users: dict[str, User]) -> None:
    comparison = build.compare(by=users["packager"])
    task = comparison.task
    sha256 = build.artifacts.get(name=DEB).sha256
    assert (task.method, task.architecture, task.state) == ("build-compare", "", "free")
    assert task.request == {"files": [{"name": DEB, "sha256": sha256}], "chroot": "trixie-amd64", "mirror": ""}
    assert AuditEntry.objects.get(act="build.compare").user == users["packager"]
    assert not Build.objects.get(pk=build.pk).can_compare(users["packager"])  # while that one is live
    task.refresh_from_db()
    hub.cancel(task, users["packager"])
    assert Build.objects.get(pk=build.pk).can_compare(users["packager"])
    assert not build.can_compare(users["viewer"])


def test_a_build_without_packages_cannot_be_compared(build: Build, users: dict[str, User]) -> None:
    Artifact.objects.all().update(kind=Artifact.Kind.OTHER)
    with pytest.raises(InputError, match="has no packages to compare"):
        build.compare(by=users["packager"])
    assert not Task.objects.filter(method="build-compare").exists()


def test_the_host_runs_the_engine_and_keeps_its_reports(tmp_path: Path, settings: Any) -> None:
    settings.MIRROR = ""
    fetched: list[str] = []

    def fetch(sha256: str, to: Path) -> None:
        fetched.append(sha256)
        to.write_bytes(b"deb")

    request = {"files": [{"name": DEB, "sha256": "1" * 64}], "chroot": "trixie-amd64",
               "mirror": "http://mirror.example.org/debian"}  # fmt: skip
    job = Job(task=1, attempt=1, claim="c", method="build-compare", title="t", architecture="", request=request,
              limits={}, folder=tmp_path, fetch=fetch)  # fmt: skip
    command = compare_command(job)
    assert fetched == ["1" * 64]
    words = ["chroots.engine", "compare", str(tmp_path / "packages"), "--chroot", "trixie-amd64"]
    assert command[command.index("-m") + 1 :][:5] == words
    assert command[-2:] == ["--mirror", "http://mirror.example.org/debian"]
    job.output.mkdir()
    (job.output / "result.json").write_text(json.dumps({"ok": True, **RESULT}))
    outcome = compare_outcome(job)
    assert outcome.result == RESULT
    assert [(file.name, file.media_type) for file in outcome.files] == [
        (f"{DEB}.diffoscope.txt", "text/plain"), (f"{DEB}.diffoscope.html", "text/html")]  # fmt: skip


def test_page_and_api_say_what_came_out(
    build: Build, users: dict[str, User], host: Host, tmp_path: Path, client_of: Callable[[str], Client]
) -> None:
    page = client_of("packager").get(build.get_absolute_url()).content.decode()
    assert "Compare with the archive" in page
    assert "Compared with the archive" not in page
    assert "Compare with the archive" not in client_of("viewer").get(build.get_absolute_url()).content.decode()
    comparison = compared(build, users["packager"], host, tmp_path)
    assert Event.objects.filter(kind="build", key=str(build.pk), what="compare-completed").exists()

    page = client_of("visitor").get(build.get_absolute_url()).content.decode()
    reports = list(comparison.task.artifacts.order_by("name"))
    assert "Compared with the archive" in page
    assert all(report.get_absolute_url() in page for report in reports)
    assert "not in the archive" in page
    assert "trixie has no such package" in page
    told = client_of("visitor").get(f"/api/v1/builds/{build.pk}/").json()["comparison"]
    assert (told["task"], told["state"]) == (comparison.task_id, "completed")
    assert [(one["name"], one["verdict"]) for one in told["packages"]] == [
        (one["name"], one["verdict"]) for one in PACKAGES
    ]
    assert [one["name"] for one in told["packages"][0]["reports"]] == PACKAGES[0]["reports"]


def test_a_report_runs_no_script_of_a_package_in_our_name(
    build: Build, users: dict[str, User], host: Host, tmp_path: Path, client_of: Callable[[str], Client]
) -> None:
    comparison = compared(build, users["packager"], host, tmp_path)
    for form, shown in (("txt", "inline"), ("html", "attachment")):
        report = comparison.task.artifacts.get(name=f"{DEB}.diffoscope.{form}")
        answer = client_of("visitor").get(report.get_absolute_url())
        assert answer["Content-Disposition"].startswith(shown)
        assert "html" not in answer["Content-Type"]
        assert answer["X-Content-Type-Options"] == "nosniff"
