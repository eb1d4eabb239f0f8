"""Results that are kept: made once, whole or absent; things that get into a folder whole or not at all."""

from __future__ import annotations

import json
import os
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chroots.engine.state import State, locked
from composes.pipeline.delivery import copy_sparse, delivered, replacing
from composes.pipeline.publishing import publish
from composes.pipeline.stages.commit import version_of
from composes.pipeline.store import ResultStore
from composes.pipeline.system.sysroot import own_metadata
from debatomic.tools.errors import InputError, ToolError


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(State(tmp_path / "state"))


def make(folder: Path) -> dict[str, object]:
    (folder / "file").write_text("x" * 5000)
    return {"digest": "d"}


def refuse(folder: Path) -> dict[str, object]:
    (folder / "half").write_text("x")
    raise ToolError("No.")


def test_a_result_is_made_once(store: ResultStore) -> None:
    seen = []
    for _ in range(2):
        with store.result("tree-1", make) as (folder, facts, reused):
            seen.append((reused, facts, (folder / "file").stat().st_size))
    assert seen == [(False, {"digest": "d"}, 5000), (True, {"digest": "d"}, 5000)]


def test_a_result_that_failed_leaves_nothing_and_can_be_made_again(store: ResultStore) -> None:
    with pytest.raises(ToolError), store.result("tree-1", refuse):
        pass
    assert list(store.results.iterdir()) == []
    assert list(store.work.iterdir()) == []
    with store.result("tree-1", make) as (_, _, reused):
        assert not reused


def test_what_a_dead_process_left_is_swept_and_what_lives_is_not(store: ResultStore) -> None:
    (store.work / "run-dead/result").mkdir(parents=True)
    with store.scratch() as alive:
        assert store.sweep() == 1
        assert [path.name for path in store.work.iterdir()] == [alive.name]
    assert list(store.work.iterdir()) == []


def test_the_least_used_results_go_first_and_used_ones_stay(store: ResultStore) -> None:
    for number in range(3):
        with store.result(f"tree-{number}", make):
            pass
        os.utime(store.results / f"tree-{number}/result.json", (number, number))
    with store.result("tree-0", make):
        os.utime(store.results / "tree-0/result.json", (0, 0))
        assert store.evict(limit=20_000) == ["tree-1"]
    assert sorted(path.name for path in store.results.iterdir()) == ["tree-0", "tree-2"]
    assert store.evict(limit=1 << 30) == []


def test_what_nobody_used_for_long_goes_however_small(store: ResultStore) -> None:
    for number in range(2):
        with store.result(f"tree-{number}", make):
            pass
    long_ago = time.time() - 31 * 86400
    os.utime(store.results / "tree-0/result.json", (long_ago, long_ago))
    assert store.evict(limit=1 << 30, days=32) == []
    assert store.evict(limit=1 << 30, days=30) == ["tree-0"]


def overwrite(folder: Path) -> None:
    (folder / "file").write_text("y" * 5000)


@pytest.mark.parametrize("alter", [
    overwrite, lambda folder: (folder / "file").unlink(), lambda folder: (folder / "file").chmod(0o600),
    lambda folder: (folder / "new").touch(), lambda folder: (folder / "link").symlink_to("/etc"),
    lambda folder: (folder / "result.json").write_text('{"facts": {'),
])  # fmt: skip
def test_an_altered_result_is_never_served(store: ResultStore, alter: Callable[[Path], object]) -> None:
    with store.result("tree-1", make) as (folder, _, _):
        pass
    alter(folder)
    with store.result("tree-1", make) as (folder, facts, reused):
        assert (reused, facts, (folder / "file").read_text()) == (False, {"digest": "d"}, "x" * 5000)
        assert sorted(path.name for path in folder.iterdir()) == ["file", "result.json"]


def test_a_sysroot_shares_no_metadata_with_the_result_it_was_pulled_from(store: ResultStore, tmp_path: Path) -> None:
    with store.result("commit-1", make) as (folder, _, _):
        (tmp_path / "objects/ab").mkdir(parents=True)
        for name in ("cd.dirtree", "ef.commit"):
            os.link(folder / "file", tmp_path / "objects/ab" / name)
    own_metadata(tmp_path / "objects")
    for path in (tmp_path / "objects/ab").iterdir():
        assert (path.stat().st_nlink, path.stat().st_size) == (1, 5000)
        os.utime(path, (0, 0))
    assert store.has("commit-1")


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "repo"
    target.mkdir()
    (target / "old").touch()
    with pytest.raises(RuntimeError), replacing(target) as made:
        made.mkdir()
        raise RuntimeError
    assert [path.name for path in target.iterdir()] == ["old"]
    with replacing(target) as made:
        made.mkdir()
        (made / "new").touch()
    assert [path.name for path in target.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_holes_of_a_disk_stay_holes(tmp_path: Path) -> None:
    source = tmp_path / "disk"
    with source.open("wb") as file:
        file.write(b"x" * 4096)
        file.truncate(64 << 20)
    copy_sparse(source, tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_size == 64 << 20
    assert (tmp_path / "copy").stat().st_blocks * 512 < 1 << 20


def test_a_deliverable_knows_its_digest(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("hello")
    made = delivered(tmp_path / "out", tmp_path / "file", "name.txt", kind="text")
    assert (made.size, made.sha256[:8], made.path) == (5, "2cf24dba", "name.txt")


@pytest.mark.parametrize(("debian", "date", "respin", "version"), [
    ("13.1", 1789199741, 0, "13.20260912.0"), ("", 1789199741, 3, "sid.20260912.3"), ("13", 0, 0, "13.19700101.0"),
])  # fmt: skip
def test_a_version_says_suite_date_and_respin(debian: str, date: int, respin: int, version: str) -> None:
    assert version_of(debian, "sid", date, respin) == version


def take(source: Path, scratch: Path) -> None:
    with publish.as_folder(source, scratch):
        pass


def repository(folder: Path) -> Path:
    for name in ("config", "summary", "objects/ab/cdef.filez", "refs/heads/x/y", "tmp/cache/z"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_a_repository_travels_as_a_tar_that_is_always_the_same(tmp_path: Path) -> None:
    source = repository(tmp_path / "repo")
    publish.export_repo(source, tmp_path / "one.tar")
    os.utime(source / "config", (1, 1))
    publish.export_repo(source, tmp_path / "two.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    (tmp_path / "scratch").mkdir()
    with publish.as_folder(tmp_path / "one.tar", tmp_path / "scratch") as folder:
        assert (folder / "objects/ab/cdef.filez").read_text() == "objects/ab/cdef.filez"
        assert not (folder / "tmp/cache/z").exists()


@pytest.mark.parametrize(("name", "kind"), [
    ("../escape", tarfile.REGTYPE), ("objects/../../escape", tarfile.REGTYPE), ("/etc/passwd", tarfile.REGTYPE),
    ("objects/link", tarfile.SYMTYPE), ("objects/hard", tarfile.LNKTYPE), ("objects/device", tarfile.CHRTYPE),
    ("etc/passwd", tarfile.REGTYPE),
])  # fmt: skip
def test_a_tar_that_is_no_repository_is_refused(tmp_path: Path, name: str, kind: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        tar.addfile(member)
    (tmp_path / "scratch").mkdir()
    with pytest.raises(InputError, match="which no repository has"):
        take(tmp_path / "bad.tar", tmp_path / "scratch")
    assert not (tmp_path / "scratch/repo" / name).is_symlink()
    assert not (tmp_path / "escape").exists()


def test_what_is_neither_folder_nor_tar_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "scratch").mkdir()
    with pytest.raises(InputError, match="neither an OSTree repository nor a tar"):
        take(tmp_path / "text", tmp_path / "scratch")


def test_a_lock_held_elsewhere_keeps_a_result(store: ResultStore) -> None:
    with store.result("tree-1", make):
        pass
    with locked(store.locks / "tree-1", shared=True):
        assert store.evict(limit=0) == []
    assert store.evict(limit=0) == ["tree-1"]
    assert json.dumps([path.name for path in store.results.iterdir()]) == "[]"
