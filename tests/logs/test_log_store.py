"""The log's file: appended by offset, read from anywhere, sealed into an artifact."""

from __future__ import annotations

import io
import multiprocessing
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from debatomic.tools.errors import InputError
from hosts.kept import seekable, store
from hosts.live import logs
from hosts.live.log_sources import Sealed
from hosts.models import Artifact, Log, State, Task
from tests.logs.scenes import end, running_task, write

pytestmark = pytest.mark.django_db

LINES = b"".join(f"line {n}: {'x' * (n % 90)}\n".encode() for n in range(60_000))  # some 3.4 MB


@pytest.mark.parametrize(
    ("before", "offset", "data", "returned", "content"),
    [
        (b"", 0, b"abc", 3, b"abc"),
        (b"abc", 3, b"def", 6, b"abcdef"),
        (b"abc", 0, b"abc", 3, b"abc"),  # sent again
        (b"abc", 1, b"bcde", 5, b"abcde"),  # overlaps
        (b"abcdef", 1, b"bc", 6, b"abcdef"),  # long there
        (b"abc", 3, b"", 3, b"abc"),
    ],
)
def test_append_is_idempotent(
    task: Task, before: bytes, offset: int, data: bytes, returned: int, content: bytes
) -> None:
    write(task, before)
    assert logs.append(task.pk, 1, "build", offset, data) == returned
    assert logs.read(task.pk, 1, "build", 0, 100) == content
    assert logs.size(task.pk, 1, "build") == len(content)


@pytest.mark.parametrize("offset", [4, 1000, -1])
def test_a_gap_is_refused_and_says_where_to_go_on(task: Task, offset: int) -> None:
    write(task, b"abc")
    with pytest.raises(logs.LogGap) as refused:
        logs.append(task.pk, 1, "build", offset, b"x")
    assert refused.value.size == 3
    assert logs.read(task.pk, 1, "build", 0, 100) == b"abc"


@pytest.mark.parametrize("name", ["", "../build", "a/b", "..", ".hidden", "a\0b", "ä", "a b", "x" * 101, "build\n"])
def test_names_that_no_log_can_have(task: Task, name: str, home: Path) -> None:
    for use in (
        lambda: logs.append(task.pk, 1, name, 0, b"x"),
        lambda: logs.read(task.pk, 1, name, 0, 1),
        lambda: logs.tail(task.pk, 1, name) or logs.path_of(task.pk, 1, name),
    ):
        with pytest.raises(logs.NoSuchLog):
            use()
    assert not list((home / "logs").rglob("*.log"))


def test_the_row_comes_with_the_first_bytes(task: Task) -> None:
    write(task, b"abc")
    write(task, b"def")
    write(task, b"x", name="apt")
    assert sorted(task.logs.values_list("attempt", "name", "sealed_at")) == [(1, "apt", None), (1, "build", None)]


def test_a_task_that_is_not_there(db: None) -> None:
    with pytest.raises(logs.NoSuchLog, match="no task 4711"):
        logs.append(4711, 1, "build", 0, b"x")


def test_a_log_that_did_not_begin(task: Task) -> None:
    with pytest.raises(logs.NoSuchLog):
        logs.read(task.pk, 1, "build", 0, 10)
    assert (logs.size(task.pk, 1, "build"), logs.tail(task.pk, 1, "build")) == (0, b"")


def test_a_log_stops_at_its_limit_with_one_marker(task: Task, settings: Any) -> None:
    settings.LOG_LIMIT_BYTES = 10
    assert logs.append(task.pk, 1, "build", 0, b"0123456") == 7
    assert logs.append(task.pk, 1, "build", 7, b"789abc") == 13
    assert logs.append(task.pk, 1, "build", 13, b"more") == 17
    content = logs.read(task.pk, 1, "build", 0, 1000)
    assert content == b"0123456789\n== This log reached its limit of 10 bytes; the rest was not kept.\n"


def test_the_tail_begins_with_a_whole_line(task: Task) -> None:
    write(task, b"first\nsecond\nthird\n")
    assert logs.tail(task.pk, 1, "build", 9) == b"third\n"
    assert logs.tail(task.pk, 1, "build", 1000) == b"first\nsecond\nthird\n"


# Several processes


def _send_everything(task: int, seed: int) -> None:
    """A sender that repeats itself and forgets how far it was."""
    chance = random.Random(seed)
    offset = 0
    while offset < len(LINES):
        end = min(len(LINES), offset + chance.randrange(1, 70_000))
        offset = logs.append(task, 1, "build", offset, LINES[offset:end])
        if chance.random() < 0.2:
            offset = max(0, offset - chance.randrange(1, 100_000))


def _read_until_whole(task: int) -> None:
    seen = b""
    while len(seen) < len(LINES):
        seen += logs.read(task, 1, "build", len(seen), 65_536)
        assert LINES.startswith(seen[-65_536:], max(0, len(seen) - 65_536))


def test_processes_append_and_read_at_once(task: Task) -> None:
    write(task, LINES[:1])
    fork = multiprocessing.get_context("fork")
    senders = [fork.Process(target=_send_everything, args=(task.pk, seed)) for seed in range(4)]
    readers = [fork.Process(target=_read_until_whole, args=(task.pk,)) for _ in range(2)]
    for process in [*senders, *readers]:
        process.start()
    for process in [*senders, *readers]:
        process.join(110)
    assert [process.exitcode for process in [*senders, *readers]] == [0] * 6
    assert logs.path_of(task.pk, 1, "build").read_bytes() == LINES


# Sealing


@pytest.fixture
def sealed(task: Task, django_capture_on_commit_callbacks: Any) -> Task:
    write(task, LINES)
    write(task, b"two\n", name="apt")
    end(task)
    with django_capture_on_commit_callbacks(execute=True):
        logs.seal(task, 1)
    return task


def test_a_sealed_log_is_an_artifact_that_reads_the_same(sealed: Task) -> None:
    artifact = sealed.artifacts.get(name="build-1.log.zst")
    assert (artifact.kind, artifact.media_type) == (Artifact.Kind.LOG, "application/zstd")
    assert artifact.size < len(LINES) / 3
    row = sealed.logs.get(name="build")
    assert (row.size, row.sealed_at is not None) == (len(LINES), True)
    assert not logs.path_of(sealed.pk, 1, "build").exists()
    for offset, limit in [(0, 10), (0, 1 << 30), (len(LINES) - 5, 100), (len(LINES), 10), (1 << 40, 10),
                          ((1 << 20) - 3, 6), (700_001, 2_500_000)]:  # fmt: skip
        assert logs.read(sealed.pk, 1, "build", offset, limit) == LINES[offset : offset + limit]
    assert logs.tail(sealed.pk, 1, "apt") == b"two\n"


def test_the_artifact_is_plain_zstd_to_others(sealed: Task) -> None:
    path = store.path(sealed.artifacts.get(name="build-1.log.zst").sha256)
    done = subprocess.run(["zstd", "-dc", os.fspath(path)], capture_output=True, check=True)
    assert done.stdout == LINES


def test_a_sealed_log_takes_nothing_more(sealed: Task) -> None:
    assert logs.append(sealed.pk, 1, "build", len(LINES) - 4, LINES[-4:]) == len(LINES)
    with pytest.raises(logs.LogEnded):
        logs.append(sealed.pk, 1, "build", len(LINES), b"late")
    assert not logs.path_of(sealed.pk, 1, "build").exists()


def test_sealing_again_changes_nothing(sealed: Task) -> None:
    before = list(Log.objects.values()), list(Artifact.objects.values())
    logs.seal(sealed, 1)
    assert (list(Log.objects.values()), list(Artifact.objects.values())) == before


@pytest.mark.django_db(transaction=True)
def test_a_seal_that_is_rolled_back_loses_nothing() -> None:
    task = running_task()
    write(task, b"precious\n")
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        logs.seal(task, 1)
        raise ZeroDivisionError
    assert logs.read(task.pk, 1, "build", 0, 100) == b"precious\n"
    with pytest.raises(logs.LogEnded):
        logs.append(task.pk, 1, "build", 9, b"late")
    logs.seal(task, 1)
    assert not logs.path_of(task.pk, 1, "build").exists()
    assert logs.read(task.pk, 1, "build", 0, 100) == b"precious\n"


def test_a_reader_goes_on_while_the_log_is_sealed(task: Task, django_capture_on_commit_callbacks: Any) -> None:
    write(task, b"precious\n")
    source = logs.find(task.pk, 1, "build")
    with django_capture_on_commit_callbacks(execute=True):
        logs.seal(task, 1)
    assert (source.read(0, 100), source.size) == (b"precious\n", 9)
    source.close()


@pytest.mark.parametrize(
    ("state", "attempt_now", "sealed"),
    [
        (State.RUNNING, 1, False),
        (State.RUNNING, 2, True),
        (State.COMPLETED, 1, True),
        (State.FAILED, 1, True),
        (State.FREE, 1, True),  # the host was lost
    ],
)
def test_the_sweep_seals_what_is_over(task: Task, state: State, attempt_now: int, sealed: bool) -> None:
    write(task, b"left behind\n")
    Task.objects.filter(pk=task.pk).update(state=state, attempt=attempt_now)
    assert logs.seal_ended() == int(sealed)
    assert (task.logs.get().sealed_at is not None) is sealed
    assert logs.read(task.pk, 1, "build", 0, 100) == b"left behind\n"


def test_an_artifact_that_is_gone_is_told(sealed: Task) -> None:
    sealed.artifacts.all().delete()
    with pytest.raises(InputError, match="no longer kept"):
        logs.read(sealed.pk, 1, "build", 0, 10)


def test_a_damaged_artifact_is_noticed(task: Task) -> None:
    write(task, LINES[::-1])
    logs.seal(task, 1)
    path = store.path(task.artifacts.get().sha256)
    content = bytearray(path.read_bytes())
    content[1000] ^= 0xFF
    path.chmod(0o644)
    path.write_bytes(content)
    with pytest.raises(seekable.ZstdError):
        Sealed(path.name, len(LINES)).read(0, 10)


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 40])
def test_what_is_not_packed_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="no table"):
        seekable.read_table(io.BytesIO(content))


@pytest.mark.parametrize("size", [0, 1, seekable.FRAME_BYTES, seekable.FRAME_BYTES + 1])
def test_frames_at_their_borders(size: int) -> None:
    packed = io.BytesIO()
    content = os.urandom(size)
    assert seekable.pack(io.BytesIO(content), packed) == size
    table = seekable.read_table(packed)
    assert (table.size, len(table.plain)) == (size, -(-size // seekable.FRAME_BYTES) + 1)
    assert b"".join(seekable.read_frame(packed, table, n) for n in range(len(table.plain) - 1)) == content
