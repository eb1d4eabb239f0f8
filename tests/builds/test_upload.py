"""Signatures of what is uploaded, and uploads in dput's way: file by file, the .changes last."""

from __future__ import annotations

import base64
import io
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from builds.models import Build, Target
from builds.submit import again
from builds.submitting import changes
from builds.submitting.signatures import Checking
from debatomic.access.models import ApiKey, AuditEntry, User
from debatomic.tools.errors import InputError
from hosts.queue.wishes import AS_USUAL
from tests.builds.conftest import Key
from tests.main_job.packages import source_package

pytestmark = pytest.mark.django_db


def demand(target: Target, key: Key, checking: Checking = Checking.REQUIRED, fingerprints: str = "") -> None:
    values = {"signatures": checking, "keyring": key.public, "fingerprints": fingerprints}
    Target.objects.filter(pk=target.pk).update(**values)
    target.refresh_from_db()


def submit(dsc: Path, target: Target, by: User) -> Build:
    files = [(path.name, io.BytesIO(path.read_bytes())) for path in dsc.parent.iterdir()]
    return Build.objects.submit_upload(files=files, target=target, by=by, scratch=True)


def test_what_a_named_key_signed_is_taken(target: Target, dsc: Path, users: dict[str, User], key: Key) -> None:
    demand(target, key, fingerprints=key.fingerprint)
    key.sign(dsc)
    build = submit(dsc, target, users["packager"])
    assert (build.signature, build.signed_by) == ("signed by Ann <ann@example.org>.", key.fingerprint)


def unsigned(dsc: Path, target: Target, key: Key) -> None:
    demand(target, key)


def of_another_key(dsc: Path, target: Target, key: Key) -> None:
    demand(target, key)
    key.sign(dsc)
    Target.objects.update(keyring="")
    target.refresh_from_db()


def of_another_fingerprint(dsc: Path, target: Target, key: Key) -> None:
    demand(target, key, fingerprints="A" * 40)
    key.sign(dsc)


def altered(dsc: Path, target: Target, key: Key) -> None:
    demand(target, key, Checking.INFORMATIVE)
    key.sign(dsc)
    dsc.write_text(dsc.read_text().replace("Maintainer: Tests", "Maintainer: Nobody"))


def with_more(dsc: Path, target: Target, key: Key) -> None:
    demand(target, key, Checking.INFORMATIVE)
    key.sign(dsc)
    dsc.write_text("Binary: more\n" + dsc.read_text())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (unsigned, "takes only what a key it names has signed; tiny_1.0.dsc: not signed."),
        (of_another_key, "signed, but the target names no keys"),
        (of_another_fingerprint, "whose fingerprint the target does not name"),
        (altered, "tiny_1.0.dsc was altered after it was signed"),
        (with_more, "tiny_1.0.dsc has more in it than one signed text"),
    ],
)
def test_a_signature_that_does_not_do_is_refused(
    change: Callable[..., None], sentence: str, target: Target, dsc: Path, users: dict[str, User], key: Key
) -> None:
    change(dsc, target, key)
    with pytest.raises(InputError) as caught:
        submit(dsc, target, users["packager"])
    assert sentence in caught.value.sentence and caught.value.field == "files"
    assert not Build.objects.exists()


def test_what_was_signed_by_a_key_that_is_taken_out_is_not_built_again(
    target: Target, dsc: Path, users: dict[str, User], key: Key
) -> None:
    demand(target, key)
    key.sign(dsc)
    build = submit(dsc, target, users["packager"])
    Target.objects.update(keyring="", once=False)
    target.refresh_from_db()
    build.target.refresh_from_db()
    with pytest.raises(InputError, match="takes only what a key it names has signed"):
        again(build, by=users["packager"], wishes=AS_USUAL)


def test_it_may_only_be_shown(target: Target, dsc: Path, users: dict[str, User], key: Key) -> None:
    demand(target, key, Checking.INFORMATIVE)
    build = submit(dsc, target, users["packager"])
    assert (build.signature, build.signed_by) == ("not signed.", "")


def test_a_manager_says_what_a_target_demands(target: Target, client_of: Callable[[str], Client], key: Key) -> None:
    client = client_of("release-manager")
    fields = {"signatures": "required", "keyring": key.public, "fingerprints": "not one"}
    page = client.post("/targets/trixie/edit/", fields)
    assert page.status_code == 422 and "is no fingerprint" in page.context["form"].errors["fingerprints"][0]
    assert client.post("/targets/trixie/edit/", {**fields, "fingerprints": key.fingerprint}).status_code == 302
    target.refresh_from_db()
    assert (target.signatures, target.fingerprints, target.once) == ("required", key.fingerprint, False)
    told = client.patch("/api/v1/targets/trixie/", {"keyring": "nonsense"}, content_type="application/json")
    assert told.status_code == 400 and "no OpenPGP public keys" in told.json()["keyring"][0]


# In dput's way


@pytest.fixture
def api_key(users: dict[str, User]) -> str:
    return str(ApiKey.objects.create(user=users["packager"], name="dput")[1])


@pytest.fixture
def put(api_key: str, target: Target) -> Callable[..., Any]:
    client = Client()

    def sent(path: Path, *, login: str = "packager", where: str = "trixie") -> Any:
        word = base64.b64encode(f"{login}:{api_key}".encode()).decode()
        return client.put(f"/upload/{where}/{path.name}", path.read_bytes(), content_type="application/octet-stream",
                          headers={"Authorization": f"Basic {word}"})  # fmt: skip

    return sent


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a .changes, its .dsc, tarball and .buildinfo, made by dpkg-buildpackage."""
    dsc = source_package(tmp_path_factory.mktemp("made"), "sent")
    tree = dsc.parent / "tree"
    subprocess.run(["dpkg-source", "-x", dsc, tree], check=True, capture_output=True)
    subprocess.run(["dpkg-buildpackage", "-S", "-d", "-us", "-uc"], cwd=tree, check=True, capture_output=True)
    shutil.rmtree(tree)
    return dsc.parent


@pytest.fixture
def changes_file(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "made"), "sent_1.0_source.changes")


def files_of(changes_file: Path) -> list[Path]:
    return sorted(path for path in changes_file.parent.glob("sent_*") if path != changes_file)


def test_the_changes_makes_a_build_of_what_came_before(put: Callable[..., Any], changes_file: Path) -> None:
    assert [put(path).status_code for path in files_of(changes_file)] == [201, 201, 201]
    assert not Build.objects.exists()
    answer = put(changes_file)
    build = Build.objects.get()
    assert (answer.status_code, answer.json()["id"], build.source, build.scratch) == (201, build.pk, "sent", False)
    assert list(changes.place(build.target, build.created_by).iterdir()) == []


def test_what_is_wrong_is_named(put: Callable[..., Any], changes_file: Path, target: Target, key: Key) -> None:
    tarball = changes_file.with_name("sent_1.0.tar.xz")
    for path in files_of(changes_file):
        if path != tarball:
            put(path)
    assert "lists sent_1.0.tar.xz, but that file is missing" in put(changes_file).json()["files"][0]
    tarball.write_bytes(tarball.read_bytes()[:-1] + b"!")
    put(tarball)
    assert "sent_1.0.tar.xz is altered" in put(changes_file).json()["files"][0]
    demand(target, key)
    assert "not signed" in put(changes_file).json()["files"][0]
    assert AuditEntry.objects.filter(act="build.refuse").count() == 3
    assert not Build.objects.exists()


def test_whoever_has_no_key_sends_nothing(put: Callable[..., Any], changes_file: Path, home: Path) -> None:
    assert put(changes_file, login="viewer").status_code == 401
    answer = Client().put(f"/upload/trixie/{changes_file.name}", b"x")
    assert answer.status_code == 401 and answer["WWW-Authenticate"].startswith("Basic realm=")
    assert put(changes_file, where="woody").status_code == 404
    assert not (home / "uploads").exists()


@pytest.mark.integration
@pytest.mark.django_db(transaction=True)
def test_debsign_and_dput(
    live_server: Any, api_key: str, target: Target, changes_file: Path, key: Key, tmp_path: Path, settings: Any
) -> None:
    """The real programs, with the profile that the hub hands out."""
    demand(target, key)
    settings.PUBLIC_ADDRESS = live_server.url
    profile = tmp_path / "dput.cf"
    profile.write_bytes(Client().get("/upload/dput.cf").content.replace(b"YOUR-NAME", b"packager"))
    environment = {**os.environ, "GNUPGHOME": str(key.home)}
    subprocess.run(["debsign", "--no-conf", f"-k{key.fingerprint}", changes_file], env=environment, check=True,
                   capture_output=True)  # fmt: skip
    done = subprocess.run(["dput", "--config", profile, "debatomic-trixie", changes_file], env=environment, text=True,
                          input=f"{api_key}\n", capture_output=True, start_new_session=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    build = Build.objects.get()
    assert (build.source, build.version, build.signed_by) == ("sent", "1.0", key.fingerprint)
