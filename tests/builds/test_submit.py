"""Submitting builds: what is refused by name, and what rows a good one makes."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from builds.models import Build, Target
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError
from hosts import registry
from hosts.kept import store
from hosts.models import Event, Task

pytestmark = pytest.mark.django_db

Files = dict[str, bytes]


def files_of(dsc: Path) -> Files:
    return {path.name: path.read_bytes() for path in dsc.parent.iterdir()}


def submit(files: Files, target: Target, by: User) -> Build:
    return Build.objects.submit_upload(
        files=[(name, io.BytesIO(content)) for name, content in files.items()], target=target, by=by
    )


def test_an_upload_becomes_a_parent_with_one_task(target: Target, dsc: Path, users: dict[str, User]) -> None:
    build = submit(files_of(dsc), target, users["packager"])

    (child,) = build.task.children.all()
    assert (build.source, build.version, build.state) == ("tiny", "1.0", "free")
    assert build.task.is_parent
    assert child.architecture == "amd64"
    assert child.request["build_type"] == "all"
    assert child.request["chroot"] == "trixie-amd64"
    assert {file["name"] for file in child.request["files"]} == {"tiny_1.0.dsc", "tiny_1.0.tar.xz"}
    assert all(store.path(file["sha256"]).stat().st_size == file["size"] for file in build.files)
    assert AuditEntry.objects.get(act="build.submit").user == users["packager"]
    assert Event.objects.filter(kind="task", key=str(child.pk)).exists()


def test_what_was_uploaded_is_kept_as_long_as_its_build(target: Target, dsc: Path, users: dict[str, User]) -> None:
    build = submit(files_of(dsc), target, users["packager"])
    uploaded = {file["sha256"] for file in build.files}
    build.cancel(by=users["packager"])  # now no live task names them
    assert registry.named(uploaded | {"0" * 64}) == uploaded
    Build.objects.update(origin=Build.Origin.ARCHIVE)  # then the archive has them
    assert registry.named(uploaded) == set()


def altered(files: Files) -> Files:
    content = files["tiny_1.0.tar.xz"]
    return {**files, "tiny_1.0.tar.xz": content[:-1] + bytes([content[-1] ^ 1])}


def only(files: Files, ending: str) -> Files:
    return {name: content for name, content in files.items() if name.endswith(ending)}


def for_s390x(files: Files) -> Files:
    return {**files, "tiny_1.0.dsc": files["tiny_1.0.dsc"].replace(b"Architecture: all", b"Architecture: s390x")}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda files: only(files, ".dsc"), "tiny_1.0.tar.xz, but that file is missing"),
        (altered, "tiny_1.0.tar.xz is altered"),
        (lambda files: only(files, ".xz"), "0 of the files end in .dsc"),
        (lambda files: {**files, "extra.txt": b"x"}, "does not list extra.txt"),
        (lambda files: {**files, "tiny_1.0.dsc": b"nonsense"}, "tiny_1.0.dsc"),
        (lambda files: {**files, "..": b"x"}, "not a plain file name"),
        (for_s390x, "It is for s390x; the target has amd64"),
    ],
)  # fmt: skip
def test_a_wrong_upload_is_refused_by_name_and_leaves_nothing(
    change: Callable[[Files], Files], sentence: str, target: Target, dsc: Path, users: dict[str, User],
    settings: object,
) -> None:  # fmt: skip
    with pytest.raises(InputError, match=sentence) as caught:
        submit(change(files_of(dsc)), target, users["packager"])

    assert caught.value.field in ("files", "target")
    assert not Build.objects.exists()
    assert not Task.objects.exists()
    kept = [path for path in settings.ARTIFACTS.rglob("*") if path.is_file()]  # type: ignore[attr-defined]
    assert kept == []


@pytest.mark.parametrize("name", ["Figlet", "../etc", "a", "two words", ""])
def test_a_name_that_no_source_package_can_have_is_refused(name: str, target: Target, users: dict[str, User]) -> None:
    with pytest.raises(InputError, match="is not the name of a source package") as caught:
        Build.objects.submit(source=name, target=target, by=users["packager"])
    assert caught.value.field == "source"


def test_a_disabled_target_takes_no_builds(target: Target, users: dict[str, User], dsc: Path) -> None:
    target.enabled = False
    with pytest.raises(InputError, match="trixie is disabled") as caught:
        submit(files_of(dsc), target, users["packager"])
    assert caught.value.field == "target"
