"""What is peculiar to content in S3-compatible storage: parts, lost connections, downloads, and the start."""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from debatomic import environment
from debatomic.tools.errors import InfrastructureError, InputError
from hosts import hub
from hosts.builder.connection import Unreachable
from hosts.builder.hubs import connect
from hosts.kept import sending, store
from hosts.live import logs
from hosts.models import Artifact, Host
from tests.storage import KEYS, InBucket, s3_server, use_bucket

CONTENT = os.urandom(256 * 1024) * 45  # more than two parts of the least that S3 takes
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def bucket(s3: str, home: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> InBucket:
    monkeypatch.setattr(sending, "PART", 5 * 1024 * 1024)
    return use_bucket(s3, f"bucket-{time.time_ns()}", settings, monkeypatch)


def in_pieces(content: bytes, size: int = 700_000) -> Iterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def test_large_content_comes_in_parts_and_is_seen_when_it_is_whole(bucket: InBucket) -> None:
    def watched() -> Iterator[bytes]:
        for piece in in_pieces(CONTENT):
            assert bucket.keys() == []
            yield piece
        assert len(bucket.uploads()) == 1

    assert store.receive(watched(), DIGEST, limit=len(CONTENT)) == len(CONTENT)
    assert (bucket.read(DIGEST), bucket.uploads()) == (CONTENT, [])
    with store.open(DIGEST) as file:
        file.seek(9_000_000)  # in the second window
        assert file.read() == CONTENT[9_000_000:]


def test_large_content_that_is_not_as_announced_is_never_seen(bucket: InBucket) -> None:
    with pytest.raises(InputError, match="announced was"):
        store.receive(in_pieces(CONTENT[:-1]), DIGEST, limit=len(CONTENT))
    with pytest.raises(InputError, match="larger than"):
        store.receive(in_pieces(CONTENT), DIGEST, limit=len(CONTENT) - 1)
    assert bucket.all() == []


def test_what_a_dead_process_left_half_sent_is_forgotten(bucket: InBucket) -> None:
    started = bucket.s3.create_multipart_upload(
        Bucket=bucket.bucket, Key=f"{bucket.prefix}{DIGEST[:2]}/{DIGEST}.{int(time.time()) - 60}"
    )
    store.forget_half_written(time.time() - 3600)
    assert bucket.uploads() == [started["UploadId"]]
    store.forget_half_written(time.time())
    assert bucket.uploads() == []


def test_what_is_sent_twice_is_kept_once(bucket: InBucket) -> None:
    store.receive([b"x"], hashlib.sha256(b"x").hexdigest(), limit=1)
    bucket.grow_older(hashlib.sha256(b"x").hexdigest(), 100)
    with store.open(hashlib.sha256(b"x").hexdigest()) as reading:
        store.receive([b"x"], hashlib.sha256(b"x").hexdigest(), limit=1)
        assert len(bucket.keys()) == 1
        assert reading.read() == b"x"  # that the other is gone does not matter


def test_what_else_lies_there_is_let_alone(bucket: InBucket) -> None:
    bucket.s3.put_object(Bucket=bucket.bucket, Key=f"{bucket.prefix}ab/README", Body=b"mine")
    assert store.older("ab", time.time() + 1000) == set()


def test_missing_keys_are_told(bucket: InBucket, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    for name in KEYS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    settings.S3_REGION = "eu-west-1"  # another client
    with pytest.raises(InfrastructureError, match="There are no keys for the artifact storage"):
        store.check()


@pytest.mark.integration  # it waits
def test_storage_that_does_not_answer_is_infrastructure(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server() as address:
        gone = use_bucket(address, "gone", settings, monkeypatch)
        assert store.receive([b"x"], hashlib.sha256(b"x").hexdigest(), limit=1) == 1
        assert len(gone.keys()) == 1
    for act in (
        lambda: store.size(DIGEST),
        lambda: store.receive([b""], hashlib.sha256().hexdigest(), limit=9),
        store.check,
    ):
        with pytest.raises(InfrastructureError, match="artifact storage does not answer") as told:
            act()
        assert "secret-of-tests" not in str(told.value)


def test_a_bucket_that_is_not_there_stops_the_start(bucket: InBucket, settings: Any, db: None) -> None:
    settings.ARTIFACTS_BUCKET = ("another", "")
    with pytest.raises(CommandError, match=r"The artifact store is not usable: .* refused ListObjectsV2: NoSuchBucket"):
        call_command("prepare")


@pytest.mark.parametrize(("value", "parsed"), [
    ("s3://kept", ("kept", "")), ("s3://kept/", ("kept", "")), ("s3://kept/a/b/", ("kept", "a/b/")),
    ("", None), ("/srv/kept", None),
])  # fmt: skip
def test_places_are_understood(monkeypatch: pytest.MonkeyPatch, value: str, parsed: Any) -> None:
    monkeypatch.setenv("DEBATOMIC_ARTIFACTS", value)
    assert environment.bucket("DEBATOMIC_ARTIFACTS") == parsed


@pytest.mark.parametrize("value", ["s3://", "s3:///kept", "https://kept", "s3://Kept/x", "s3://key:secret@kept"])
def test_a_wrong_place_stops_the_start(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("DEBATOMIC_ARTIFACTS", value)
    with pytest.raises(environment.BadSetting, match="it must be an absolute path, or s3://bucket/prefix") as told:
        environment.bucket("DEBATOMIC_ARTIFACTS")
    assert "secret" not in str(told.value)


@pytest.fixture
def artifact(bucket: InBucket, make: Any, tmp_path: Any) -> Artifact:
    (tmp_path / "file").write_bytes(CONTENT)
    sha256, _ = store.put(tmp_path / "file")
    return store.record(make(public=True), name="big.deb", kind="binary", media_type="", sha256=sha256)


def test_downloads_go_through_the_application_by_ranges(artifact: Artifact, client_of: Callable[[str], Client]) -> None:
    client = client_of("visitor")
    whole: Any = client.get(artifact.get_absolute_url())
    assert (whole.status_code, b"".join(whole.streaming_content)) == (200, CONTENT)
    part: Any = client.get(artifact.get_absolute_url(), headers={"Range": "bytes=8388600-8388699"})
    assert part.status_code == 206 and part["Content-Range"] == f"bytes 8388600-8388699/{len(CONTENT)}"
    assert b"".join(part.streaming_content) == CONTENT[8388600:8388700]


def test_a_download_says_when_the_storage_is_away(
    artifact: Artifact, client_of: Callable[[str], Client], settings: Any
) -> None:
    settings.ARTIFACTS_BUCKET = ("another", "")
    answer = client_of("visitor").get(artifact.get_absolute_url())
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    assert answer.content.startswith(b"The artifact storage refused ListObjectsV2")


def test_or_from_the_storage_itself(artifact: Artifact, client_of: Callable[[str], Client], settings: Any) -> None:
    settings.S3_REDIRECT = True
    sent_on = client_of("visitor").get(artifact.get_absolute_url())
    assert sent_on.status_code == 302 and "no-store" in sent_on["Cache-Control"]
    there = httpx.get(sent_on["Location"], headers={"Range": "bytes=10-19"})
    assert (there.status_code, there.content) == (206, CONTENT[10:20])
    assert "big.deb" in there.headers["Content-Disposition"] and "secret-of-tests" not in sent_on["Location"]


@pytest.mark.django_db
def test_a_host_sends_and_fetches(
    make: Any, bucket: InBucket, host: Host, tmp_path: Any, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.HOST_NAME = host.name
    (tmp_path / "input").write_bytes(b"input")
    sha256, _ = store.put(tmp_path / "input")
    task = make(request={"file": sha256})
    won = hub.claim(host)
    assert won and won.claim and hub.start(won.claim)
    here, claim = connect(), str(won.claim)
    here.fetch(claim, sha256, tmp_path / "copy", int)
    assert (tmp_path / "copy").read_bytes() == b"input"
    logs.append(task.pk, 1, "log", 0, b"hello\n")
    made = here.upload(claim, tmp_path / "copy", int)
    bucket_name, settings.ARTIFACTS_BUCKET = settings.ARTIFACTS_BUCKET, ("another", "")
    with pytest.raises(Unreachable, match="NoSuchBucket"):  # said again later
        here.upload(claim, tmp_path / "copy", int)
    settings.ARTIFACTS_BUCKET = bucket_name
    with django_capture_on_commit_callbacks(execute=True):
        hub.finish(won.claim, {}, [])
    assert made == sha256 and logs.read(task.pk, 1, "log", 2, 99) == b"llo\n"
    assert Artifact.objects.get().sha256 in "".join(bucket.keys())


def test_a_folder_is_moved_and_only_what_is_right(s3: str, home: Any, settings: Any, monkeypatch: Any) -> None:
    (home / "source").write_bytes(b"content")
    sha256, _ = store.put(home / "source")
    moved = use_bucket(s3, f"bucket-{time.time_ns()}", settings, monkeypatch)
    said = io.StringIO()
    for _ in range(2):
        call_command("move_artifacts", home / "artifacts", stdout=said)
    assert said.getvalue().splitlines() == [
        "1 files of 1 were copied; the others were there.", "0 files of 1 were copied; the others were there.",
    ]  # fmt: skip
    assert moved.read(sha256) == b"content"
    (home / "artifacts" / "00").mkdir()
    (home / "artifacts" / "00" / ("0" * 64)).write_bytes(b"other")
    with pytest.raises(CommandError, match="announced was 0000"):
        call_command("move_artifacts", home / "artifacts")
    assert len(moved.keys()) == 1
