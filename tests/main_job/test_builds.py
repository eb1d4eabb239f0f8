"""Part one of the main job: source packages become binary packages, through the application's own doors."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.application import Application
from tests.main_job.packages import source_package

pytestmark = pytest.mark.integration


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def field(deb: Path, name: str) -> str:
    shown = ["dpkg-deb", "--field", str(deb), name]
    return subprocess.run(shown, check=True, capture_output=True, text=True).stdout.strip()


def test_a_source_of_the_archive_becomes_packages_to_download(application: Application, tmp_path: Path) -> None:
    built = application.command("build", "figlet", "--target", "trixie", "--watch", "--json")
    assert built.returncode == 0, built.stderr
    build = json.loads(built.stdout)
    assert (build["source"], build["state"], build["tags"]) == ("figlet", "completed", ["trixie"])
    assert "dpkg-deb: building package 'figlet'" in built.stderr  # the log, as it was written

    fetched = application.command("download", str(build["id"]), "--output", tmp_path / "command")
    assert fetched.returncode == 0, fetched.stderr
    kept = application.get(f"builds/{build['id']}/artifacts/")
    paths = {one["name"]: tmp_path / "command" / one["name"] for one in kept}
    assert {one["name"]: sha256(paths[one["name"]]) for one in kept} == {one["name"]: one["sha256"] for one in kept}
    assert {one["name"]: paths[one["name"]].stat().st_size for one in kept} == {
        one["name"]: one["size"] for one in kept
    }
    by_kind = {one["kind"]: paths[one["name"]] for one in kept if "dbgsym" not in one["name"]}
    assert {"binary", "changes", "buildinfo", "log"} <= set(by_kind)
    _inspect(build["version"], by_kind)


def _inspect(version: str, by_kind: dict[str, Path]) -> None:
    deb, changes = by_kind["binary"], by_kind["changes"].read_text()
    assert (field(deb, "Package"), field(deb, "Version"), field(deb, "Architecture")) == ("figlet", version, "amd64")
    listing = subprocess.run(["dpkg-deb", "--contents", deb], check=True, capture_output=True, text=True).stdout
    assert "./usr/bin/figlet" in listing
    assert f" {sha256(deb)} {deb.stat().st_size} {deb.name}" in changes
    assert f" {sha256(by_kind['buildinfo'])} " in changes
    assert f" {sha256(deb)} {deb.stat().st_size} {deb.name}" in by_kind["buildinfo"].read_text()
    with by_kind["log"].open("rb") as packed:
        log = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True).read()
    assert b"dpkg-deb: building package 'figlet'" in log


def test_a_visitor_downloads_from_the_page(application: Application) -> None:
    """Builds are public: without any sign-in the page has the packages, and they are what the API says."""
    dsc = source_package(application.home / "pages", "pagetest")
    build = application.upload(dsc)
    application.until(f"builds/{build['id']}/", "completed")
    with application.client("visitor") as visitor:
        page = visitor.get(f"{application.address}/builds/{build['id']}/").text
        for kept in application.get(f"builds/{build['id']}/artifacts/"):
            path = f"/artifacts/{kept['id']}/{kept['name']}"
            assert path in page
            answer = visitor.get(application.address + path)
            assert hashlib.sha256(answer.content).hexdigest() == kept["sha256"]


def test_an_uploaded_source_package_is_built(application: Application, tmp_path: Path) -> None:
    dsc = source_package(tmp_path, "uploaded", build="echo built as $$(id -un), network: $$(ls /sys/class/net)")
    built = application.command("build", dsc, "--target", "trixie", "--scratch", "--watch", "--json")
    assert built.returncode == 0, built.stderr
    build = json.loads(built.stdout)
    assert [(one["name"], one["architecture"]) for one in build["binaries"]] == [("uploaded", "amd64")]
    assert build["tags"] == []  # scratch
    assert "\nbuilt as " in built.stderr
    assert "\nbuilt as root" not in built.stderr
    fetched = application.command("download", str(build["id"]), "--kind", "binary", "--output", tmp_path / "got")
    assert fetched.returncode == 0, fetched.stderr
    assert field(tmp_path / "got" / "uploaded_1.0_amd64.deb", "Version") == "1.0"


def test_a_build_is_compared_with_the_archive(application: Application, tmp_path: Path) -> None:
    build = application.upload(source_package(tmp_path, "compared"))
    application.until(f"builds/{build['id']}/", "completed")
    asked = application.post(f"builds/{build['id']}/compare/")
    application.until(f"tasks/{asked['comparison']['task']}/", "completed")
    (package,) = application.get(f"builds/{build['id']}/")["comparison"]["packages"]
    assert (package["name"], package["verdict"]) == ("compared_1.0_amd64.deb", "absent")
    assert package["note"] == "trixie has no such package"


def test_an_altered_upload_is_refused_by_name(application: Application, tmp_path: Path) -> None:
    dsc = source_package(tmp_path, "altered")
    tarball = tmp_path / "altered_1.0.tar.xz"
    tarball.write_bytes(tarball.read_bytes()[:-1] + b"!")
    files = [("files", (path.name, path.read_bytes())) for path in (dsc, tarball)]
    answer = application.api.post("builds/", data={"target": "trixie"}, files=files)
    assert (answer.status_code, "altered_1.0.tar.xz" in answer.json()["files"][0]) == (400, True), answer.text

    missing = application.api.post("builds/", data={"target": "trixie"}, files=files[:1])
    assert (missing.status_code, "altered_1.0.tar.xz" in missing.json()["files"][0]) == (400, True), missing.text
    assert application.get("builds/", source="altered")["results"] == []
    assert list((application.home / "artifacts" / "incoming").glob("upload-*")) == []


@pytest.mark.parametrize("asked, field_name, words", [
    ({"source": "figlte"}, "source", ["no source package 'figlte'", "figlet"]),
    ({"source": "figlet", "version": "99"}, "version", ["99", "2.2.5"]),
    ({"source": "figlet", "target": "woody"}, "target", ["woody"]),
    ({"source": "../figlet"}, "source", ["../figlet"]),
])  # fmt: skip
def test_what_cannot_be_is_refused_at_submit(
    application: Application, asked: dict[str, str], field_name: str, words: list[str]
) -> None:
    before = [each["id"] for each in application.get("builds/")["results"]]
    answer = application.api.post("builds/", json={"target": "trixie", **asked})
    assert answer.status_code == 400, answer.text
    assert all(word in answer.json()[field_name][0] for word in words), answer.text
    assert [each["id"] for each in application.get("builds/")["results"]] == before


def test_a_file_that_the_mirror_lacks_is_said_at_submit(application: Application) -> None:
    """Some mirrors of trixie answer 404 for hello's files; one that has them builds it."""
    answer = application.api.post("builds/", json={"source": "hello", "target": "trixie", "scratch": True})
    if answer.status_code == 400:
        sentence = answer.json()["source"][0]
        assert "answers 404 for it: this mirror lacks the file" in sentence
        assert "hello_" in sentence and "upload the source package" in sentence
    else:
        application.until(f"builds/{answer.json()['id']}/", "completed")


@pytest.mark.parametrize("name, options, kind, words", [
    ("broken", {"build": "echo first line; echo 'main.c:3:1: error: no such thing'; exit 1"}, "build", "main.c:3:1"),
    ("wanting", {"needs": "libnot-there-dev (>= 2)"}, "dep-wait", "libnot-there-dev"),
])  # fmt: skip
def test_a_failed_build_tells_why(
    application: Application, tmp_path: Path, name: str, options: dict[str, Any], kind: str, words: str
) -> None:
    build = application.upload(source_package(tmp_path, name, **options))
    ended = application.until(f"builds/{build['id']}/", "failed")
    task = application.task(build)
    assert (ended["kind"], task["kind"], task["attempt"]) == (kind, kind, 1)
    told = [task["reason"], *task["decisive"]]
    assert any(words in line for line in told), told
    assert task["reason"] in ended["reason"]
    with application.client("visitor") as visitor:
        page = visitor.get(ended["page"]).text
        assert page.index(words) < page.index('class="log"')  # before the log itself
    watched = application.command("watch", str(build["id"]))
    assert watched.returncode == 1
    assert words in watched.stdout
