"""Submitting over the API: fields, uploads, and the same request sent twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from builds.models import Build, Target
from debatomic.access.idempotency import submitted
from debatomic.access.models import AuditEntry, Submission, User
from debatomic.access.refusals import Conflict
from tests import scene


def upload(client: Client, dsc: Path, *, key: str = "", **fields: str) -> Any:
    """Post the source package as a form of files."""
    with dsc.open("rb") as first, (dsc.parent / "tiny_1.0.tar.xz").open("rb") as second:
        body = {"files": [first, second], "target": "trixie", **fields}
        headers = {"Idempotency-Key": key} if key else {}
        return client.post("/api/v1/builds/", body, headers=headers)


def test_an_upload_becomes_a_build(target: Target, dsc: Path, client_of: Callable[[str], Client]) -> None:
    answer = upload(client_of("packager"), dsc, scratch="true")
    assert answer.status_code == 201, answer.content
    told = answer.json()
    made = Build.objects.get()
    assert (told["id"], told["source"], told["version"], told["state"]) == (made.pk, "tiny", "1.0", "free")
    assert (told["origin"], told["scratch"], told["created_by"]) == ("upload", True, "packager")
    assert told["page"] == f"http://testserver/builds/{made.pk}/"
    assert AuditEntry.objects.filter(act="build.submit", user__username="packager", address="127.0.0.1").exists()


@pytest.mark.parametrize(
    ("body", "field", "sentence"),
    [
        ({"target": "trixie"}, "source", "This field is required."),
        ({"source": "figlet"}, "target", "This field is required."),
        ({"source": "figlet", "target": "sid"}, "target", "There is no target named “sid”; there is trixie."),
        ({"source": "figlet", "target": "trixie", "scratch": "perhaps"}, "scratch", "Must be a valid boolean."),
        ({"source": "not a name", "target": "trixie"}, "source", ""),
    ],
)
def test_what_is_wrong_is_told_by_field(
    target: Target, client_of: Callable[[str], Client], body: dict[str, str], field: str, sentence: str
) -> None:
    answer = client_of("packager").post("/api/v1/builds/", body, content_type="application/json")
    assert answer.status_code == 400
    assert list(answer.json()) == [field] and answer.json()[field][0].startswith(sentence)
    assert not Build.objects.exists()


def test_an_altered_file_is_refused_by_name(target: Target, dsc: Path, client_of: Callable[[str], Client]) -> None:
    with (dsc.parent / "tiny_1.0.tar.xz").open("ab") as file:
        file.write(b"more")
    answer = upload(client_of("packager"), dsc)
    assert answer.status_code == 400 and "tiny_1.0.tar.xz" in str(answer.json())
    assert not Build.objects.exists()


def test_too_large_an_upload_is_refused_unread(
    settings: Any, target: Target, dsc: Path, client_of: Callable[[str], Client]
) -> None:
    settings.UPLOAD_LIMIT_BYTES = 100
    answer = upload(client_of("packager"), dsc)
    assert answer.status_code == 400 and "larger than" in answer.json()["files"][0]


def test_an_unknown_variant_is_told_by_field(target: Target, client_of: Callable[[str], Client], somebody: Any) -> None:
    scene.compose(somebody, target.channel)
    body = {"definition": "debian-atomic", "variant": "nothing"}
    answer = client_of("release-manager").post("/api/v1/composes/", body, content_type="application/json")
    assert answer.status_code == 400 and list(answer.json()) == ["variant"]


def test_sent_twice_it_builds_once(target: Target, dsc: Path, client_of: Callable[[str], Client]) -> None:
    client = client_of("packager")
    first, second = (upload(client, dsc, key="one", scratch="true") for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json() and second["Idempotent-Replay"] == "true"
    assert Build.objects.count() == 1
    assert upload(client, dsc, key="two", scratch="true").json()["id"] != first.json()["id"]
    other = upload(client_of("release-manager"), dsc, key="one", scratch="true")
    assert other.json()["id"] != first.json()["id"], "keys are one's own"


def test_a_key_is_for_one_request(target: Target, dsc: Path, client_of: Callable[[str], Client]) -> None:
    client = client_of("packager")
    upload(client, dsc, key="one")
    other = upload(client, dsc, key="one", scratch="true")
    assert other.status_code == 422 and "was used for another request" in other.json()["detail"]
    assert Build.objects.count() == 1


def test_a_refused_request_may_be_corrected(target: Target, dsc: Path, client_of: Callable[[str], Client]) -> None:
    client = client_of("packager")
    Target.objects.update(enabled=False)
    assert upload(client, dsc, key="one").status_code == 400
    target.chroots.update(enabled=False)
    Target.objects.update(enabled=True)
    assert upload(client, dsc, key="one").status_code == 400, "refused by the verb, not by the form"
    target.chroots.update(enabled=True)
    assert upload(client, dsc, key="one").status_code == 201
    assert upload(client, dsc, key="x" * 201).status_code == 400


def test_what_is_unknown_is_never_repeated(target: Target, dsc: Path, client_of: Callable[[str], Client]) -> None:
    client = client_of("packager")
    upload(client, dsc, key="one")
    Submission.objects.update(status=None)  # as if its process had died
    answer = upload(client, dsc, key="one")
    assert answer.status_code == 409 and Build.objects.count() == 1


def test_answers_are_forgotten_after_a_day(target: Target, dsc: Path, client_of: Callable[[str], Client]) -> None:
    client = client_of("packager")
    upload(client, dsc, key="one", scratch="true")
    Submission.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert upload(client, dsc, key="one", scratch="true").status_code == 201
    assert Build.objects.count() == 2


def test_a_second_request_does_not_wait_for_the_first(somebody: User) -> None:
    def asked() -> Request:
        sent = APIRequestFactory().post("/api/v1/builds/", {}, headers={"Idempotency-Key": "one"})
        request = Request(sent, parsers=[MultiPartParser()])
        request.user = somebody
        return request

    def make() -> User:
        with pytest.raises(Conflict, match="is being worked on"):
            submitted(asked(), never, str)
        return somebody

    def never() -> User:
        raise AssertionError("it was made twice")

    assert submitted(asked(), make, str).data == "somebody"
    assert submitted(asked(), never, str).data == "somebody"


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_sent_twice_at_once_it_builds_once(target: Target, dsc: Path, client_of: Callable[[str], Client]) -> None:
    clients = [client_of("packager") for _ in range(4)]
    answers: list[int] = []
    together = threading.Barrier(len(clients))

    def send(client: Client) -> None:
        together.wait()
        answers.append(upload(client, dsc, key="one").status_code)
        connection.close()

    threads = [threading.Thread(target=send, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Build.objects.count() == 1
    assert 201 in answers and set(answers) <= {201, 409}
