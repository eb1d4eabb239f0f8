"""Where packages come from: signed archives with keys by file and fingerprint, at a date, and beside the treefile."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from composes.pipeline.packages import indexes
from composes.pipeline.treefiles import treefile
from debatomic.tools.errors import InputError
from tests.pipeline import signed
from tests.pipeline.signed import Archive

TOP = Path(__file__).parents[2]
STATE = Path(os.environ.get("DEBATOMIC_TEST_STATE") or TOP / "var/test-state").absolute()
HEAD = "suite: trixie\narchitectures: {amd64: {}}\nvariants: {v: {}}\n"
PAST = "Valid-Until: Mon, 02 Nov 2026 06:00:00 UTC\n"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("archives") / "house"
    folder.mkdir()
    signed.deb(folder, "house-tools", depends="house-data")
    return signed.archive(folder)


@pytest.fixture(scope="module")
def address(archive: Archive) -> Iterator[str]:
    with signed.served(archive.folder.parent) as top:
        yield f"{top}/house"


def resolved(folder: Path, more: str) -> treefile.Tree:
    path = folder / "house.yaml"
    path.write_text(HEAD + more)
    return treefile.resolve(treefile.load(path), "v", "amd64")


def keyring(archive: Archive, folder: Path) -> Path:
    """The archive's key as a file for gpgv, in the place of Debian's."""
    path = folder / "keyring.gpg"
    with path.open("wb") as file:
        subprocess.run(["gpg", "--homedir", archive.home, "--batch", "--export"], check=True, stdout=file)
    return path


def found(tree: treefile.Tree, archive: Archive, address: str, folder: Path, **more: str) -> list[indexes.Source]:
    keys = folder / "keys"
    keys.mkdir(exist_ok=True)
    return indexes.sources(tree, address, keyring(archive, folder), keys, **more)


def test_a_key_may_be_in_a_file_beside_the_treefile(tmp_path: Path, archive: Archive, address: str) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/house.asc").write_text(archive.key)
    more = f"repositories:\n- {{name: own, uri: '{address}', suite: house, key-file: keys/house.asc}}\n"
    tree = resolved(tmp_path, more)
    assert tree.repositories[0].key == archive.key
    assert treefile.files(tmp_path / "house.yaml") == ["house.yaml", "keys/house.asc"]
    source = found(replace(tree, suite="house"), archive, address, tmp_path)[1]
    assert source.release.fields["Date"] == signed.DATE


@pytest.mark.parametrize(("said", "sentence"), [
    ("key-file: nothing.asc", "house.yaml:5: there is no file nothing.asc."),
    ("key-file: a/../../b.asc", "leads out of the folder of the treefile"),
    ("key-file: house.yaml, key: x", "house.yaml:5: repository own has both a key and a key-file."),
    ("fingerprint: abc", "house.yaml:5: fingerprint: abc is not a fingerprint: 40 or 64 hexadecimal digits."),
])  # fmt: skip
def test_a_key_that_cannot_be_is_said_with_its_line(tmp_path: Path, said: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        resolved(tmp_path, f"repositories:\n- {{name: own, uri: 'http://mirror.example.org', suite: s, {said}}}\n")
    assert sentence in str(caught.value)


@pytest.mark.parametrize("with_key", [True, False])
def test_a_fingerprint_names_the_one_key_that_counts(
    tmp_path: Path, archive: Archive, address: str, with_key: bool
) -> None:
    key = f", key: {json.dumps(archive.key)}" if with_key else ""
    line = f"- {{name: own, uri: '{address}', suite: house, fingerprint: '%s'{key}}}\n"
    tree = replace(resolved(tmp_path, f"repositories:\n{line % archive.fingerprint}"), suite="house")
    assert len(found(tree, archive, address, tmp_path)) == 2
    other = replace(resolved(tmp_path, f"repositories:\n{line % ('AB' * 20)}"), suite="house")
    with pytest.raises(InputError, match=rf"house\.yaml:5: the key of repository own is not .*{archive.fingerprint}"):
        found(other, archive, address, tmp_path)


def test_an_archive_past_its_time_is_used_only_where_the_treefile_says_so(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    old = signed.archive(tmp_path / "old", fields=PAST)
    with signed.served(tmp_path / "old") as address:
        tree = replace(resolved(tmp_path, ""), suite="house")
        with pytest.raises(InputError, match="was valid until"):
            found(tree, old, address, tmp_path)
        lax = replace(resolved(tmp_path, "check-valid-until: no\n"), suite="house")
        assert len(found(lax, old, address, tmp_path)) == 1


def test_a_snapshot_is_the_archive_of_a_day_and_not_of_a_later_one(tmp_path: Path) -> None:
    folder = tmp_path / "at" / "20261101T120000Z"
    folder.mkdir(parents=True)
    old = signed.archive(folder, fields=PAST)
    (tmp_path / "at/20261031T000000Z").symlink_to(folder)
    with signed.served(tmp_path / "at") as top:
        at = {"snapshots": f"{top}/{{date}}"}
        tree = replace(resolved(tmp_path, "snapshot: 20261101T120000Z\n"), suite="house")
        (source,) = found(tree, old, "http://mirror.example.org", tmp_path, **at)
        assert source.repository.uri == f"{top}/20261101T120000Z"
        early = replace(resolved(tmp_path, "snapshot: 2026-10-31\n"), suite="house")
        with pytest.raises(InputError, match=r"house\.yaml:4: .* is of Sun, 01 Nov 2026 06:00:00 UTC, later than 2026"):
            found(early, old, "http://mirror.example.org", tmp_path, **at)


@pytest.mark.parametrize(("said", "sentence"), [
    ("2026-02-30", "house.yaml:4: snapshot: there is no 2026-02-30."),
    ("2999-01-01", "house.yaml:4: snapshot: 2999-01-01 is in the future."),
    ("yesterday", "house.yaml:4: snapshot: yesterday is not a time such as 2026-11-01 or 20261101T120000Z."),
])  # fmt: skip
def test_a_day_that_is_none_is_said(tmp_path: Path, said: str, sentence: str) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        resolved(tmp_path, f"snapshot: {said}\n")


def gathered(folder: Path, text: str, *more: str) -> tuple[int, str]:
    """The status and the output of `run --only gather` on a treefile."""
    (folder / "house.yaml").write_text(text)
    args = [sys.executable, "-m", "composes.pipeline", "run", os.fspath(folder / "house.yaml"), "--variant", "v",
            "--output", os.fspath(folder / "out"), "--state", os.fspath(STATE), "--only", "gather", *more]  # fmt: skip
    done = subprocess.run(args, cwd=TOP, capture_output=True, text=True, timeout=900, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.integration
def test_a_lock_has_packages_of_the_house_and_of_the_treefile(tmp_path: Path, archive: Archive, address: str) -> None:
    (tmp_path / "debs").mkdir()
    own = signed.deb(tmp_path / "debs", "house-data", "1:2.0")
    newer = signed.deb(tmp_path / "debs", "figlet", "0.1")  # in place of Debian's, though older
    debs = [{"file": f"debs/{path.name}", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
            for path in (own, newer)]  # fmt: skip
    repository = {"name": "own", "uri": address, "suite": "house", "key": archive.key,
                  "fingerprint": archive.fingerprint}  # fmt: skip
    content = {"suite": "trixie", "packages": ["house-tools", "figlet"], "repositories": [repository], "debs": debs,
               "architectures": {"amd64": {}}, "variants": {"v": {}}}  # fmt: skip
    status, told = gathered(tmp_path, json.dumps(content))
    assert status == 0, told[-2000:]
    packages = {each["name"]: each for each in json.loads((tmp_path / "out/lock.json").read_text())["packages"]}
    assert (packages["house-tools"]["origin"], packages["house-data"]["origin"]) == ("own", "treefile")
    assert packages["house-data"]["uri"] == "treefile:/house-data_1%3a2.0_all.deb"
    assert (packages["figlet"]["version"], packages["bash"]["origin"]) == ("0.1", "debian")

    lock = os.fspath(tmp_path / "out/lock.json")
    (tmp_path / "again").mkdir()
    status, told = gathered(tmp_path, json.dumps(content), "--lock", lock)
    assert status == 0, told[-2000:]
    (own.parent / own.name).write_bytes(b"!<arch>\nnot the same")
    status, told = gathered(tmp_path, json.dumps(content), "--again", "gather")
    assert status == 1
    assert "house-data_1%3a2.0_all.deb has another SHA-256" in told.splitlines()[-1]
