"""What no row names is removed from the store after a day; what one names, or may soon name, stays."""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from hosts import hub, registry
from hosts.builder.connection import File
from hosts.builder.hubs import connect
from hosts.kept import cleaning, store
from hosts.live import logs
from hosts.models import Artifact, Host, Log, State, Task
from tests.storage import InFolder, Storage

pytestmark = pytest.mark.django_db
DAY = cleaning.KEPT_SECONDS
Put = Callable[..., str]


@pytest.fixture
def storage(request: pytest.FixtureRequest, home: Path) -> Storage:
    """The folder; also a bucket, where a test asks for both (`kept`)."""
    both: Storage = request.getfixturevalue("kept") if "kept" in request.fixturenames else InFolder(home / "artifacts")
    return both


@pytest.fixture
def put(tmp_path: Path, storage: Storage) -> Put:
    """Put content into the store, as old as said (seconds): its digest."""

    def put_one(content: str, *, age: float = DAY + 60) -> str:
        (tmp_path / "content").write_text(content)
        sha256, _ = store.put(tmp_path / "content")
        storage.grow_older(sha256, age)
        return sha256

    return put_one


def grow_older(path: Path, age: float) -> None:
    os.utime(path, (time.time() - age,) * 2)


def there(sha256: str) -> bool:
    return store.has(sha256)


def clean_all(*folders: str) -> int:
    return sum(cleaning.clean(folder) for folder in folders or cleaning.FOLDERS)


def test_content_that_nothing_names_goes_after_a_day(put: Put, kept: Storage) -> None:
    old, fresh = put("old"), put("fresh", age=DAY - 60)
    assert clean_all(old[:2], fresh[:2]) == 1
    assert (there(old), there(fresh)) == (False, True)
    assert clean_all(old[:2], fresh[:2]) == 0


@pytest.mark.parametrize("name", ["artifact", "log", "request", "deep"])
def test_content_that_a_row_names_stays(make: Any, put: Put, name: str) -> None:
    sha256 = put("content")
    unnamed = put("unnamed")
    if name == "request":
        make(request={"tree": sha256})
    elif name == "deep":
        make(request={"files": [{"name": "x.dsc", "sha256": sha256}]}, is_parent=True)
    else:
        store.record(make(), name="x", kind="log" if name == "log" else "binary", media_type="", sha256=sha256)
    assert clean_all() == 1
    assert (there(sha256), there(unnamed)) == (True, False)


def test_a_sealed_log_stays(make: Any, host: Host, storage: Storage, django_capture_on_commit_callbacks: Any) -> None:
    task = make()
    won = hub.claim(host)
    assert won and won.claim and hub.start(won.claim)
    logs.append(task.pk, 1, "log", 0, b"hello\n")
    with django_capture_on_commit_callbacks(execute=True):
        hub.finish(won.claim, {})
    assert Log.objects.get().sealed_at
    storage.grow_older(Artifact.objects.get().sha256, 2 * DAY)
    assert clean_all() == 0
    assert logs.read(task.pk, 1, "log", 0, 99) == b"hello\n"


@pytest.mark.parametrize("state", [State.COMPLETED, State.FAILED, State.CANCELED])
def test_a_request_names_until_its_task_has_ended(make: Any, put: Put, state: State) -> None:
    sha256 = put("content")
    task = make(request={"tree": sha256})
    Task.objects.filter(pk=task.pk).update(state=state)
    assert clean_all() == 1
    assert not there(sha256)


def test_what_an_app_registers_stays(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_contents", list(registry._contents))
    kept, other = put("kept"), put("other")
    registry.register_contents(lambda contents: {kept} & contents)
    assert clean_all() == 1
    assert (there(kept), there(other)) == (True, False)


def test_an_upload_whose_end_comes_late_is_whole(
    make: Any, put: Put, host: Host, tmp_path: Path, settings: Any
) -> None:
    """The content was there for long; a host says it again, then comes the cleaning, then the finish."""
    settings.HOST_NAME = host.name
    put("content")
    make()
    won = hub.claim(host)
    assert won and won.claim and hub.start(won.claim)
    sha256 = connect().upload(str(won.claim), tmp_path / "content", int)
    assert clean_all() == 0
    assert hub.finish(won.claim, {}, [File(name="x", kind="other", sha256=sha256)])
    assert there(sha256)


def test_content_that_is_asked_for_before_it_is_sent_stays(put: Put, kept: Storage) -> None:
    sha256 = put("content")
    assert store.renew(sha256)
    assert kept.age(sha256) < 60
    assert clean_all(sha256[:2]) == 0
    assert not store.renew("0" * 64)


def test_content_that_comes_again_while_it_is_judged_stays(
    put: Put, kept: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = put("content")

    def meanwhile(contents: Any) -> set[str]:
        store.put(tmp_path / "content")
        return set()

    monkeypatch.setattr(registry, "_contents", [meanwhile])
    assert clean_all(sha256[:2]) == 0
    assert there(sha256)


def test_putting_and_removing_never_lose_what_came_last(
    put: Put, kept: Storage, storage: Storage, tmp_path: Path
) -> None:
    sha256 = put("content")
    stop = threading.Event()

    def remove_always() -> None:
        while not stop.is_set():
            store.remove(sha256, time.time() - 1000)

    thread = threading.Thread(target=remove_always)
    thread.start()
    try:
        for _ in range(60 if isinstance(storage, InFolder) else 5):
            store.put(tmp_path / "content")
            assert there(sha256)
            storage.grow_older(sha256, 2000)
            while there(sha256):
                assert thread.is_alive()
    finally:
        stop.set()
        thread.join()


def test_what_was_left_half_written_goes_after_a_day(home: Path) -> None:
    incoming = store.half_written()
    assert incoming == home / "artifacts" / "incoming"
    (incoming / "tmpabc").write_text("half")
    (incoming / "fresh").write_text("half")
    (incoming / "upload-x").mkdir()
    (incoming / "upload-x" / "x.dsc").write_text("half")
    for name in ("tmpabc", "upload-x"):
        grow_older(incoming / name, DAY + 60)
    store.forget_half_written(time.time() - DAY)
    assert [path.name for path in incoming.iterdir()] == ["fresh"]


def in_folder(put: Put, folder: str) -> str:
    """Old content that lies in this sub folder."""
    contents = (f"content {number}" for number in itertools.count())
    return put(next(one for one in contents if hashlib.sha256(one.encode()).hexdigest().startswith(folder)))


def test_each_sub_folder_has_its_turn_and_nobody_is_early(put: Put, home: Path) -> None:
    first, second = in_folder(put, "00"), in_folder(put, "01")
    note = home / "artifacts" / ".cleaned"
    assert [cleaning.clean_next() for _ in range(3)] == [1, 0, 0]
    assert (there(first), there(second)) == (False, True)
    cleaned = []
    for _ in range(257):
        grow_older(note, cleaning.PAUSE_SECONDS + 1)
        cleaning.clean_next()
        cleaned.append(note.read_text())
    assert cleaned == [*cleaning.FOLDERS[1:], "00", "01"]
    assert not there(second)


def test_only_one_process_cleans_at_a_time(put: Put, home: Path) -> None:
    sha256 = in_folder(put, "00")
    with (home / "artifacts" / ".cleaned").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert cleaning.clean_next() == 0
        assert there(sha256)
    assert cleaning.clean_next() == 1


@pytest.mark.django_db(transaction=True)  # the command drops connections that are no longer good
def test_the_tick_cleans(put: Put) -> None:
    sha256 = in_folder(put, "00")
    call_command("tick", "--once")
    assert not there(sha256)


def test_queries_do_not_grow_with_what_lies_there(
    put: Put, make: Any, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "BATCH", 50)
    contents = {f"{number:064x}" for number in range(170)}
    with django_assert_num_queries(4):
        assert cleaning.by_artifacts(contents) == set()
    for _ in range(5):
        make()
    with django_assert_num_queries(1):
        assert cleaning.by_requests(contents) == set()
