"""What builds on one host share: downloads, indexes, bases, space, compiler caches. None waits without need."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from chroots.engine.archives.archive import Archive
from chroots.engine.archives.fetch import RemoteFile, Store
from chroots.engine.archives.sources_index import write_index
from chroots.engine.layers import base, ccache
from chroots.engine.layers.overlay import available_memory, copy_sparse, in_memory
from chroots.engine.layers.sweep import sweep
from chroots.engine.spec import ChrootSpec, Tmpfs
from chroots.engine.state import State, locked
from debatomic.tools.errors import InputError
from debatomic.tools.files import write_json

TRIXIE = ChrootSpec(name="t", suite="trixie", architecture="amd64", mirror="http://mirror.example.org/debian")
CONTENTS = {"one": b"one", "same": b"36"}  # their digests begin alike


class Meeting(BaseHTTPRequestHandler):
    """Answers no request before two are there."""

    both = threading.Barrier(2, timeout=20)
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.both.wait()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(CONTENTS[self.path.strip("/")])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Meeting.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Meeting) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def remote(server: str, name: str) -> RemoteFile:
    content = CONTENTS[name]
    return RemoteFile(name=name, url=f"{server}/{name}", size=len(content), sha256=hashlib.sha256(content).hexdigest())


def test_downloads_wait_only_for_the_same_file(server: str, tmp_path: Path) -> None:
    files = [remote(server, name) for name in CONTENTS]
    assert files[0].sha256[:2] == files[1].sha256[:2]
    threads = [threading.Thread(target=Store(tmp_path).get, args=(file,)) for file in [*files, *files]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(Meeting.asked) == ["/one", "/same"]
    assert [Store(tmp_path).get(file).read_bytes() for file in files] == list(CONTENTS.values())
    assert not [*tmp_path.glob("*/.*"), *tmp_path.glob("fetching/*")]


def test_half_a_download_of_a_dead_process_is_swept(tmp_path: Path) -> None:
    folder = tmp_path / "files/ab"
    folder.mkdir(parents=True)
    for name in ("abdead", "ablive"):
        (folder / f".{name}.x1y2z3").write_text("half")
    with locked(tmp_path / "files/fetching/abdead"):
        pass
    with locked(tmp_path / "files/fetching/ablive"):
        sweep(State(tmp_path))
    assert [path.name for path in folder.iterdir()] == [".ablive.x1y2z3"]
    assert [path.name for path in (tmp_path / "files/fetching").iterdir()] == ["ablive"]


def test_small_files_nobody_finished_are_swept(tmp_path: Path) -> None:
    folder = tmp_path / "layers/quick"
    folder.mkdir(parents=True)
    for name, age in ((".key.abc", 3600), (".key.new", 0), ("key", 3600)):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - age,) * 2)
    sweep(State(tmp_path))
    assert sorted(path.name for path in folder.iterdir()) == [".key.new", "key"]


@pytest.mark.timeout(30)
def test_an_index_that_somebody_renews_serves_meanwhile(tmp_path: Path) -> None:
    archive = Archive("trixie", State(tmp_path), mirror="http://127.0.0.1:9")
    write_index(archive.index, [], release="r", sources="s")
    os.utime(archive.index, (time.time() - 1000,) * 2)
    with locked(archive.index.with_suffix(".lock")):
        archive.refresh()


@pytest.mark.timeout(30)
def test_a_base_that_somebody_renews_serves_meanwhile(tmp_path: Path) -> None:
    state = State(tmp_path)
    folder = state.bases / TRIXIE.key / "1-abc"
    (folder / "tree").mkdir(parents=True)
    write_json(folder / base.ABOUT, {"identity": "abc"})
    os.utime(folder / base.ABOUT, (0, 0))
    (folder.parent / base.CURRENT).symlink_to("1-abc")
    with locked(state.locks / f"base-{TRIXIE.key}"):
        assert base.ensure(TRIXIE, state, lambda chunk: None).identity == "abc"


def test_a_base_of_an_older_engine_is_measured(tmp_path: Path) -> None:
    status = tmp_path / "tree/var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text("Package: dash\nStatus: install ok installed\n\nPackage: bash\nStatus: install ok installed\n")
    write_json(tmp_path / base.ABOUT, {"identity": "abc", "mirror": "http://mirror.example.org/debian"})
    found = base.stored(tmp_path)
    assert found
    told = base.facts(found)
    assert (told["packages"], told["size"], told["mirror"]) == (
        2,
        status.stat().st_size,
        "http://mirror.example.org/debian",
    )


@pytest.mark.parametrize("size, memory, tmpfs, inside", [
    (1 << 20, 4 << 20, Tmpfs.AUTO, True),
    (3 << 20, 4 << 20, Tmpfs.AUTO, False),
    (3 << 20, 4 << 20, Tmpfs.ALWAYS, True),
    (1 << 20, 4 << 20, Tmpfs.NEVER, False),
])  # fmt: skip
def test_where_a_builds_files_are(size: int, memory: int, tmpfs: Tmpfs, inside: bool) -> None:
    assert in_memory(size, memory, tmpfs) is inside


def test_files_that_cannot_be_in_memory_are_refused() -> None:
    assert not in_memory(available_memory(), available_memory() * 4, Tmpfs.AUTO)
    with pytest.raises(InputError, match="disk limit of 8 MiB is more than the memory limit of 4 MiB"):
        in_memory(8 << 20, 4 << 20, Tmpfs.ALWAYS)


def test_where_files_are_does_not_change_the_base() -> None:
    from dataclasses import replace

    assert replace(TRIXIE, tmpfs=Tmpfs.NEVER).key == TRIXIE.key


def test_holes_are_copied_as_holes(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    with source.open("wb") as file:
        for place in (0, 1 << 24, 1 << 26):
            file.seek(place)
            file.write(b"data")
        file.truncate(1 << 27)
    copy_sparse(source, target)
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_blocks * 512 < 1 << 20


def cached(folder: Path, name: str, size: int, age: float) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (time.time() - age,) * 2)


def test_of_a_compiler_cache_only_files_are_kept_the_latest_first(tmp_path: Path) -> None:
    cached(tmp_path, "a/old", 4096, 99)
    cached(tmp_path, "a/new", 4096, 1)
    (tmp_path / "a/link").symlink_to("/etc/passwd")
    (tmp_path / "folder").symlink_to("/etc")
    os.mkfifo(tmp_path / "a/pipe")
    names = partial(lambda size: [name for _, name in ccache.plain_files(tmp_path, size)])
    assert names(1 << 20) == ["a/new", "a/old"]
    assert names(5000) == ["a/new"]


def test_compiler_caches_expire(tmp_path: Path) -> None:
    state = State(tmp_path)
    folders = [ccache.cache_home(state, TRIXIE.key, "x") / str(int(moment * 1e9)) for moment in (1000, 3000)]
    for folder in folders:
        (folder / "tree").mkdir(parents=True)
    newest = ccache.newest(folders[0].parent)
    assert newest and newest.tree == folders[1] / "tree"
    ccache.evict(state, 2000)
    assert ccache.all_of(state) == folders[1:]


def test_the_search_path_of_a_build_with_a_cache_begins_with_its_compilers() -> None:
    found = ccache.environment(1 << 30, "/usr/bin:/bin")
    assert (found["PATH"], found["CCACHE_MAXSIZE"]) == ("/usr/lib/ccache:/usr/bin:/bin", "1048576Ki")
    assert json.dumps(found).count("/run/ccache") == 1
