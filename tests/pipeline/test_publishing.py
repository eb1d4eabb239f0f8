"""The served repository by real tools: signed commits and summary, deltas, moves, keys that change, pruning."""

from __future__ import annotations

import functools
import http.server
import json
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chroots.engine.archives import openpgp
from chroots.engine.archives.signing import Signer, write_public
from composes.pipeline.cli import main
from composes.pipeline.publishing import gvariant
from composes.pipeline.publishing.ostree import Repo
from composes.pipeline.publishing.updates import Update, bound_refs, object_path, update
from composes.pipeline.tools import Tools
from debatomic.tools.errors import InputError
from tests.application import STATE
from tests.machine import Machine, field_tools

pytestmark = pytest.mark.integration
NIGHTLY, TESTING = "house/minimal", "testing/house/minimal"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("publishing")


@pytest.fixture(scope="module")
def tools(work: Path) -> Iterator[Tools]:
    with field_tools(work) as entry:
        yield entry


@pytest.fixture(scope="module")
def made(work: Path, tools: Tools) -> Callable[[str], tuple[Path, str]]:
    """Makes a compose's repository with one commit: its folder and the commit's id."""

    def make(word: str) -> tuple[Path, str]:
        tree, path = work / f"tree-{word}", work / f"repo-{word}"
        (tree / "usr/share").mkdir(parents=True)
        (tree / "usr/share/word").write_text(word)
        (tree / "usr/share/large").write_bytes(random.Random(1).randbytes(50_000))
        for number in range(40):
            (tree / f"usr/share/{number}").write_text(f"{number}\n" * 50)
        repo = Repo(tools, path).have("archive")
        bound = [f"--branch={NIGHTLY}", f"--bind-ref={TESTING}"]
        repo.do("commit", *bound, f"--tree=dir={tree}", "--fsync=no", f"--subject={word}")
        return path, repo.resolve(NIGHTLY)

    return functools.cache(make)


class Site:
    """A served repository and the key that signs it."""

    def __init__(self, work: Path) -> None:
        self.target, self.signer = work / "ostree/repo", Signer(work / "signing")
        self.public = work / "ostree/keys.asc"

    def do(self, verb: str, *args: str | Path) -> int:
        return main([verb, *map(str, args), "--to", str(self.target), "--signing-home", str(self.signer.home),
                     "--state", str(STATE), "--output", str(self.target.parent / "said")])  # fmt: skip

    def said(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.target.parent / "said/result.json").read_text())
        return content

    def dates(self) -> list[int]:
        """Of the summary and its signature, in the seconds that HTTP knows."""
        return [int((self.target / name).stat().st_mtime) for name in ("summary", "summary.sig")]

    def ref(self, name: str) -> str:
        path = self.target / "refs/heads" / name
        return path.read_text().strip() if path.exists() else ""


@pytest.fixture
def site(work: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    folder = work / request.node.name[:40]
    folder.mkdir()
    yield Site(folder)
    shutil.rmtree(folder)


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of a folder over HTTP, and what was asked for."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, form: str, *args: object) -> None:
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_a_machine_accepts_what_is_signed_and_nothing_else(
    site: Site, tools: Tools, made: Callable[[str], tuple[Path, str]]
) -> None:
    source, one = made("one")
    assert site.do("publish", "--from", source, "--ref", NIGHTLY, "--commit", one, "--keep-as", "house-1/amd64") == 0
    write_public(site.signer, site.public)
    assert site.signer.home.stat().st_mode & 0o777 == 0o700
    with served(site.target) as (url, _):
        folder = site.target.parent
        assert Machine(tools, folder, url, site.public.read_bytes()).pull(NIGHTLY) == one
        stranger = Signer(folder.parent / "stranger")
        stranger.ensure()
        shutil.rmtree(folder / "machine")
        assert "public key not found" in Machine(tools, folder, url, stranger.public()).refused(NIGHTLY)
        shutil.rmtree(folder / "machine")
        object_path(site.target, one, "commitmeta").unlink()
        assert "no signatures found" in Machine(tools, folder, url, site.public.read_bytes()).refused(NIGHTLY)


def test_a_changed_commit_and_a_changed_summary_are_refused(
    site: Site, tools: Tools, made: Callable[[str], tuple[Path, str]]
) -> None:
    (source, one), (other, two) = made("one"), made("two")
    assert site.do("publish", "--from", source, "--ref", NIGHTLY) == 0
    assert site.do("publish", "--from", other, "--ref", NIGHTLY) == 0
    folder, keys = site.target.parent, site.signer.public()
    borrowed = object_path(site.target, one, "commitmeta").read_bytes()
    object_path(site.target, two, "commitmeta").write_bytes(borrowed)  # the signature of another commit
    shutil.rmtree(site.target / "deltas")
    with served(site.target) as (url, _):
        assert "BAD signature" in Machine(tools, folder, url, keys).refused(NIGHTLY)
        shutil.rmtree(folder / "machine")
        summary = site.target / "summary"
        summary.write_bytes(summary.read_bytes().replace(bytes.fromhex(two), bytes.fromhex(one)))
        assert "BAD signature" in Machine(tools, folder, url, keys).refused(NIGHTLY)


def test_an_update_comes_as_a_small_delta_and_its_size_is_told(
    site: Site, tools: Tools, made: Callable[[str], tuple[Path, str]]
) -> None:
    (source, one), (other, two) = made("one"), made("two")
    assert site.do("publish", "--from", source, "--ref", NIGHTLY) == 0
    first = site.said()
    assert (first["previous"], first["delta"]) == ("", None)
    assert first["signed_by"] == site.signer.fingerprints()
    folder = site.target.parent
    with served(site.target) as (url, asked):
        machine = Machine(tools, folder, url, site.signer.public())
        machine.pull(NIGHTLY)
        before = site.dates()
        assert site.do("publish", "--from", other, "--ref", NIGHTLY) == 0
        assert all(new > old for new, old in zip(site.dates(), before, strict=True)), "HTTP tells whole seconds"
        told = site.said()
        assert (told["previous"], told["commit"], told["objects"]) == (one, two, 5)
        assert told["size"] < first["size"] / 10
        assert 0 < told["delta"] < 5000
        asked.clear()
        assert machine.pull(NIGHTLY) == two
        assert any(path.startswith("/deltas/") for path in asked)
        assert not any(path.endswith(".filez") for path in asked)


def test_refs_move_together_or_not_at_all(
    site: Site, tools: Tools, made: Callable[[str], tuple[Path, str]], capfd: pytest.CaptureFixture[str]
) -> None:
    (source, one), (other, two) = made("one"), made("two")
    assert site.do("publish", "--from", source, "--ref", NIGHTLY, "--keep-as", "house-1/amd64") == 0
    assert site.do("move", f"{TESTING}={one}", "--expect", f"{TESTING}=") == 0
    assert site.do("publish", "--from", other, "--ref", NIGHTLY, "--keep-as", "house-2/amd64") == 0
    capfd.readouterr()
    assert site.do("move", f"{TESTING}={two}", f"elsewhere={two}") == 1
    assert f"bound to {NIGHTLY} and {TESTING}" in capfd.readouterr().out
    assert site.do("move", f"{TESTING}={two}", "--expect", f"{TESTING}={'0' * 64}") == 1
    assert f"{TESTING} is {one} meanwhile" in capfd.readouterr().out
    assert site.ref(TESTING) == one
    assert site.do("move", f"{TESTING}={two}", "--expect", f"{TESTING}={one}") == 0
    assert site.do("move", f"{TESTING}={two}", "--expect", f"{TESTING}={one}") == 0, "done again it is done"
    with served(site.target) as (url, _):
        machine = Machine(tools, site.target.parent, url, site.signer.public())
        assert (machine.pull(NIGHTLY), machine.pull(TESTING)) == (two, two)
        assert site.do("move", f"{TESTING}={one}") == 0
        assert machine.pull(TESTING) == one


def test_an_older_compose_that_is_published_later_does_not_take_the_ref_back(
    site: Site, made: Callable[[str], tuple[Path, str]]
) -> None:
    (older, one), (newer, two) = made("one"), made("two")
    assert site.do("publish", "--from", newer, "--ref", NIGHTLY, "--order", "12") == 0
    assert site.said()["serial"] == 1
    assert site.do("publish", "--from", older, "--ref", NIGHTLY, "--order", "7", "--keep-as", "house-7/amd64") == 0
    assert (site.said()["passed_over"], site.said()["previous"], site.ref(NIGHTLY)) == (True, two, two)
    assert site.do("move", f"{TESTING}={one}") == 0, "nothing is lost: it can be promoted"
    assert site.do("move", f"{NIGHTLY}={one}") == 0, "a person may go back"
    assert site.do("publish", "--from", newer, "--ref", NIGHTLY, "--order", "12") == 0
    assert (site.said()["serial"], site.ref(NIGHTLY)) == (4, two)


def test_pruning_keeps_what_is_named_and_what_is_held(site: Site, made: Callable[[str], tuple[Path, str]]) -> None:
    (source, one), (other, two) = made("one"), made("two")
    assert site.do("publish", "--from", source, "--ref", NIGHTLY, "--keep-as", "house-1/amd64") == 0
    assert site.do("publish", "--from", other, "--ref", NIGHTLY, "--keep-as", "house-2/amd64") == 0
    assert site.do("prune") == 0
    assert update(site.target, one, two).objects == 5, "one step behind is there"
    assert site.do("prune", "--let-go", "house-1/amd64", "house-0/amd64") == 0
    assert update(site.target, "", two).objects > 40
    with pytest.raises(InputError, match=f"no commit {one}"):
        update(site.target, one, two)
    assert not list((site.target / "deltas").rglob("superblock")), "no delta from nowhere"
    assert site.do("publish", "--from", source, "--ref", NIGHTLY) == 0, "it can come back"


def test_while_keys_change_machines_with_either_are_content(
    site: Site, tools: Tools, made: Callable[[str], tuple[Path, str]]
) -> None:
    source, one = made("one")
    assert site.do("publish", "--from", source, "--ref", NIGHTLY) == 0
    old = site.signer.fingerprints()[0]
    old_public = site.signer.public()
    assert main(["signing-key", "--home", str(site.signer.home), "--new"]) == 0
    assert site.do("move", f"{NIGHTLY}={one}") == 0
    both = site.signer.public()
    assert main(["signing-key", "--home", str(site.signer.home), "--retire", old]) == 0
    new_public = site.signer.public()
    assert openpgp.fingerprints(openpgp.binary(both, "both")) == [old, *site.signer.fingerprints()]
    folder = site.target.parent
    with served(site.target) as (url, _):
        for keys in (old_public, new_public):
            assert Machine(tools, folder, url, keys).pull(NIGHTLY) == one
            shutil.rmtree(folder / "machine")
    assert main(["signing-key", "--home", str(site.signer.home), "--retire", site.signer.fingerprints()[0]]) == 1


def test_what_ostree_says_of_objects_is_what_we_read(tools: Tools, made: Callable[[str], tuple[Path, str]]) -> None:
    path, commit = made("one")
    assert sorted(bound_refs(path, commit)) == sorted([NIGHTLY, TESTING])
    whole = update(path, "", commit)
    files = [each for each in (path / "objects").rglob("*") if each.is_file()]
    assert whole == Update(len(files), sum(each.stat().st_size for each in files))
    assert gvariant.read("a{sv}", gvariant.metadata("key", [b"one", b"x" * 70000])) == [
        ("key", ("aay", [b"one", b"x" * 70000]))]  # fmt: skip
