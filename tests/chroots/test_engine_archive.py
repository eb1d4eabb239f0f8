"""The archive as its client: what is believed, what is refused, in which words."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chroots.engine.archives.archive import Archive
from chroots.engine.state import State
from debatomic.tools.errors import InfrastructureError, InputError, ToolError
from debatomic.tools.files import sha256

Open = Callable[..., Archive]
MADE = Path(__file__).parent / "archive"


class Quiet(SimpleHTTPRequestHandler):
    asked: list[str] = []

    def log_message(self, *args: object) -> None:
        self.asked.append(self.path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the archive that a test may spoil."""
    return Path(shutil.copytree(MADE, tmp_path / "archive"))


@pytest.fixture
def mirror(folder: Path) -> Iterator[str]:
    Quiet.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def archive(mirror: str, tmp_path: Path) -> Open:
    """Open a suite of the archive."""

    def opened(suite: str = "stable-one", **options: Any) -> Archive:
        return Archive(suite, State(tmp_path / "state"), mirror=mirror, keyring=MADE / "keyring.gpg", **options)

    return opened


def test_a_past_archive_is_taken_when_that_is_said(archive: Open) -> None:
    assert archive("expired", check_valid_until=False).find("figlet").version == "1:0.9-1"


def test_the_newest_version_is_found_and_its_files_are_what_is_signed(archive: Open, tmp_path: Path) -> None:
    package = archive().find("figlet")
    assert (package.version, package.architectures, package.component) == ("1:0.9-1", ("any", "all"), "main")
    paths = archive().download(package)
    assert [sha256(path) for path in paths] == [file.sha256 for file in package.files]
    assert package.dsc.name == "figlet_0.9-1.dsc"


def test_a_version_can_be_asked_for(archive: Open) -> None:
    assert archive().find("figlet", "1.0-1").dsc.name == "figlet_1.0-1.dsc"


def test_an_index_that_is_fresh_is_not_asked_for_again(archive: Open) -> None:
    archive().find("figlet")
    asked = len(Quiet.asked)
    archive().find("toilet")
    assert len(Quiet.asked) == asked
    archive(max_age=-1).find("toilet")  # InRelease again, and as it is the same, nothing else
    assert Quiet.asked[asked:] == ["/dists/stable-one/InRelease"]


@pytest.mark.parametrize(
    "suite, name, version, sentence",
    [
        (
            "stable-one",
            "figlett",
            None,
            "There is no source package 'figlett' in stable-one (main). Did you mean figlet?",
        ),
        ("stable-one", "zzzz", None, "Is it a binary package's name?"),
        ("stable-one", "ghost", None, "There is no source package 'ghost'"),
        ("stable-one", "figlet", "3", "stable-one has no version 3 of figlet; it has 1.0-1, 1.0-2, 1:0.9-1."),
        ("nowhere", "figlet", None, "has no suite 'nowhere'"),
        ("expired", "figlet", None, "this mirror is out of date"),
    ],
)
def test_what_is_not_there_is_told(archive: Open, suite: str, name: str, version: str | None, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        archive(suite).find(name, version)
    assert sentence in error.value.sentence


@pytest.mark.parametrize("ask", ["download", "require_files"])
def test_a_file_the_mirror_lacks_is_named(archive: Open, ask: str) -> None:
    package = archive().find("gone")
    with pytest.raises(InputError) as error:
        getattr(archive(), ask)(package)
    assert str(error.value) == "The archive lists gone_1.dsc but answers 404 for it: this mirror lacks the file."


def spoil(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


def test_an_altered_inrelease_is_refused_naming_file_and_keyring(archive: Open, folder: Path, mirror: str) -> None:
    spoil(folder / "dists/stable-one/InRelease", b"804 main", b"805 main")
    with pytest.raises(InputError) as error:
        archive().find("figlet")
    assert f"The signature of {mirror}/dists/stable-one/InRelease does not verify" in str(error.value)
    assert str(MADE / "keyring.gpg") in str(error.value) and "BAD signature" in str(error.value)


def test_text_outside_the_signature_counts_for_nothing(archive: Open, folder: Path) -> None:
    path = folder / "dists/stable-one/InRelease"
    path.write_bytes(b"Suite: other\n\n" + path.read_bytes())
    assert archive().find("toilet").version == "1"


@pytest.mark.parametrize("content", [b"", b"Suite: stable-one\n", b"\xff\x00"])
def test_what_is_not_signed_is_refused(archive: Open, folder: Path, content: bytes) -> None:
    (folder / "dists/stable-one/InRelease").write_bytes(content)
    with pytest.raises(InputError, match="does not verify"):
        archive().find("figlet")


def test_another_suite_in_its_place_is_refused(archive: Open, folder: Path) -> None:
    shutil.copytree(folder / "dists/stable-one", folder / "dists/sid")
    with pytest.raises(InputError, match="is signed, but for the suite stable-one, not for sid"):
        archive("sid").find("figlet")


def test_an_altered_index_is_refused(archive: Open, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chroots.engine.archives.fetch.time.sleep", lambda seconds: None)
    spoil(folder / "dists/stable-one/main/source/Sources.xz", b"7zXZ", b"7zXY")
    with pytest.raises(InfrastructureError, match="is not what the signed index lists"):
        archive().find("figlet")


@pytest.mark.parametrize("content", [b"toilet 1 .dsd\n", b"short", b"much longer than it should be"])
def test_an_altered_source_file_is_refused_and_not_kept(
    archive: Open, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setattr("chroots.engine.archives.fetch.time.sleep", lambda seconds: None)
    package = archive().find("toilet")
    (folder / "pool/toilet/toilet_1.dsc").write_bytes(content)
    with pytest.raises(ToolError, match=r"toilet_1.dsc is not what the signed index lists"):
        archive().download(package)
    assert not list((tmp_path / "state/files").glob(f"*/*{package.dsc.sha256}*"))


def test_no_network_is_an_infrastructure_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chroots.engine.archives.fetch.time.sleep", lambda seconds: None)
    archive = Archive("stable-one", State(tmp_path), mirror="http://127.0.0.1:9", keyring=MADE / "keyring.gpg")
    with pytest.raises(InfrastructureError) as error:
        archive.find("figlet")
    assert "The archive at 127.0.0.1:9 cannot be reached" in str(error.value) and "DEBATOMIC_MIRROR" in error.value.hint


def test_a_component_the_suite_lacks_is_told(archive: Open) -> None:
    with pytest.raises(InputError, match="has no component 'contrib'"):
        archive(components=("main", "contrib")).find("figlet")


def test_many_may_ask_at_once_and_the_index_is_fetched_once(archive: Open) -> None:
    threads = [threading.Thread(target=lambda: archive().find("figlet")) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path for path in Quiet.asked if path.endswith("InRelease")] == ["/dists/stable-one/InRelease"]


def test_least_recently_used_downloads_go_first(archive: Open) -> None:
    archive().download(archive().find("figlet"))
    store = archive().store
    paths = sorted(store.folder.glob("??/*"))
    for number, path in enumerate(paths):
        os.utime(path, (number, number))
    store.evict(keep=paths[-1].stat().st_size)
    assert list(store.folder.glob("??/*")) == paths[-1:]
