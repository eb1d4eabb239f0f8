"""Kept files by content: whole or absent, once each, verified on arrival."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from debatomic.tools.errors import InfrastructureError, InputError
from hosts.kept import store
from hosts.models import Artifact, Task
from hosts.registry import KeptFile
from tests.storage import InFolder, Storage

CONTENT = b"some content\n" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


def test_what_is_put_is_there_under_its_digest(source: Path, kept: Storage) -> None:
    assert not store.has(DIGEST)
    assert store.put(source) == (DIGEST, len(CONTENT))
    assert (store.has(DIGEST), store.size(DIGEST)) == (True, len(CONTENT))
    with store.open(DIGEST) as file:
        assert file.read() == CONTENT
    assert source.read_bytes() == kept.read(DIGEST) == CONTENT


def test_in_the_folder_it_cannot_be_changed(source: Path, home: Path) -> None:
    store.put(source)
    assert store.path(DIGEST) == home / "artifacts" / DIGEST[:2] / DIGEST
    assert store.path(DIGEST).stat().st_mode & 0o777 == 0o444


def test_content_put_twice_is_kept_once_and_counts_as_new(source: Path, kept: Storage) -> None:
    store.put(source)
    kept.grow_older(DIGEST, 80_000)
    assert store.put(source) == (DIGEST, len(CONTENT))
    assert kept.all() == [DIGEST]
    assert kept.age(DIGEST) < 60


def test_it_is_read_from_any_byte(source: Path, kept: Storage) -> None:
    store.put(source)
    with store.open(DIGEST) as file:
        assert file.seek(-7, os.SEEK_END) == len(CONTENT) - 7
        assert (file.read(), file.read()) == (CONTENT[-7:], b"")
        file.seek(3000)
        assert (file.read(10), file.tell()) == (CONTENT[3000:3010], 3010)
        assert (file.seek(5, os.SEEK_CUR), file.read(2)) == (3015, CONTENT[3015:3017])


def test_a_copy_is_verified(source: Path, kept: Storage, tmp_path: Path) -> None:
    store.put(source)
    store.copy_to(DIGEST, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == store.nearby(DIGEST, tmp_path / "near").read_bytes() == CONTENT
    kept.alter(DIGEST, b"x" + CONTENT[1:])
    with pytest.raises(InfrastructureError, match="other content"):
        store.copy_to(DIGEST, tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("content", [
    b"", b"\0", bytes(store.CHUNK), bytes(3 * store.CHUNK + 1), b"x" + bytes(2 * store.CHUNK) + b"y",
    b"x" * store.CHUNK + bytes(store.CHUNK), os.urandom(store.CHUNK + 7),
], ids=["empty", "zero", "hole", "holes and one", "hole in the middle", "hole at the end", "no hole"])  # fmt: skip
def test_sizes_and_holes_are_what_they_were(tmp_path: Path, kept: Storage, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    ticks: list[int] = []
    sha256, size = store.put(tmp_path / "file", tick=lambda: ticks.append(1))
    assert (sha256, size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert store.size(sha256) == len(content)
    assert kept.read(sha256) == content
    with store.open(sha256) as file:
        assert file.read() == content
    assert len(ticks) >= -(-len(content) // store.CHUNK)
    if not content.strip(b"\0") and isinstance(kept, InFolder):
        assert store.path(sha256).stat().st_blocks * 512 <= 4096


def test_a_transfer_that_breaks_leaves_nothing(kept: Storage) -> None:
    def broken() -> Iterator[bytes]:
        yield CONTENT[:500]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        store.receive(broken(), DIGEST, limit=1 << 20)
    assert kept.all() == []
    assert store.receive([CONTENT[:500], CONTENT[500:]], DIGEST, limit=1 << 20) == len(CONTENT)
    assert kept.all() == [DIGEST]


@pytest.mark.parametrize(("sent", "announced", "limit", "sentence"), [
    (CONTENT[:-1], DIGEST, 1 << 20, f"announced was {DIGEST}. Send it again."),
    (CONTENT, DIGEST, 100, "The file is larger than the 100 bytes this hub takes."),
    (CONTENT, DIGEST.upper(), 1 << 20, "is not a SHA-256 in hex."),
    (CONTENT, "../" + DIGEST[3:], 1 << 20, "is not a SHA-256 in hex."),
    (CONTENT, DIGEST + "\n", 1 << 20, "is not a SHA-256 in hex."),
])  # fmt: skip
def test_what_is_not_as_announced_is_refused_and_not_kept(
    kept: Storage, sent: bytes, announced: str, limit: int, sentence: str
) -> None:
    with pytest.raises(InputError) as refused:
        store.receive([sent], announced, limit=limit)
    assert refused.value.sentence.endswith(sentence)
    assert kept.all() == []


def test_a_canceled_put_leaves_nothing(source: Path, kept: Storage) -> None:
    def cancel() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.put(source, tick=cancel)
    assert kept.all() == []


def test_what_is_not_there_is_not_found(kept: Storage) -> None:
    with pytest.raises(FileNotFoundError):
        store.size(DIGEST)
    with pytest.raises(FileNotFoundError):
        store.open(DIGEST)
    assert not store.renew(DIGEST) and not store.has(DIGEST)


@pytest.mark.django_db
def test_a_file_of_a_later_attempt_takes_the_place_of_the_earlier(make: Any, source: Path, kept: Storage) -> None:
    task: Task = make()
    first = store.keep(task, KeptFile(path=source, name="a.deb", kind="binary"))
    source.write_bytes(b"other")
    second = store.keep(task, KeptFile(path=source, name="a.deb", kind="other", media_type="text/plain"))
    assert first.pk == second.pk
    only = Artifact.objects.get()
    assert (only.kind, only.media_type, only.size, only.sha256) == ("other", "text/plain", 5, store.put(source)[0])


@pytest.mark.django_db
@pytest.mark.parametrize(("columns", "sentence"), [
    ({"name": ""}, "'' is no name of a file."), ({"name": ".."}, "'..' is no name of a file."),
    ({"name": "a/b"}, "'a/b' is no name of a file."), ({"name": "a\nb"}, r"'a\nb' is no name of a file."),
    ({"name": "x" * 256}, f"{'x' * 80!r} is no name of a file."),
    ({"kind": "virus"}, "'virus' is no kind of artifact."), ({"sha256": "x"}, "'x' is not a SHA-256 in hex."),
    ({"sha256": "0" * 64}, "The content of a.deb is not in the store. Send it first."),
])  # fmt: skip
def test_what_is_no_artifact_is_refused(
    make: Any, source: Path, kept: Storage, columns: dict[str, str], sentence: str
) -> None:
    store.put(source)
    with pytest.raises(InputError) as refused:
        store.record(make(), **{"name": "a.deb", "kind": "binary", "media_type": "", "sha256": DIGEST, **columns})
    assert refused.value.sentence == sentence
    assert not Artifact.objects.exists()
