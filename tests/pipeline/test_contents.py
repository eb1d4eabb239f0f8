"""The record of what a compose contains, and two records compared."""

from __future__ import annotations

import gzip
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from chroots.engine.archives.fetch import Store
from composes.pipeline.contents import changelogs, changes, defaults, objects, record, risks, status
from composes.pipeline.contents.changelogs import Entry
from composes.pipeline.contents.defaults import Default
from composes.pipeline.contents.record import Contents, Installed
from composes.pipeline.contents.risks import Known, Risk
from debatomic.tools.errors import InputError
from debatomic.tools.files import link_or_copy
from tests.pipeline import packed

THREE = [("1.2-1", "Mend."), ("1.1-1", "Grow."), ("1.0-1", "Begin.")]


@pytest.mark.parametrize("compression", ["xz", "gzip", "zstd", "none"])
@pytest.mark.parametrize("file", ["changelog.Debian.gz", "changelog.gz"])
def test_the_changelog_of_a_package_file_is_read(tmp_path: Path, compression: str, file: str) -> None:
    path, _ = packed.deb(tmp_path, "tiny", packed.changelog("tiny", THREE), file=file, compression=compression)
    found = changelogs.of_package(path, "tiny")
    assert [(each.version, each.changes) for each in found] == [
        (version, (f"  * {line}",)) for version, line in THREE
    ]  # fmt: skip
    assert (found[0].author, found[0].date) == ("A Tester <a@example.org>", packed.DATE)


@pytest.mark.parametrize("content", [b"", b"!<arch>\n", b"no package at all"])
def test_what_is_no_package_has_no_changelog(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.deb").write_bytes(content)
    assert changelogs.of_package(tmp_path / "x.deb", "x") == ()


@pytest.mark.parametrize("text", ["no changelog", "tiny (1.0) trixie; urgency=low\n\n  * cut off", " -- nobody\n"])
def test_what_is_no_changelog_has_no_entries(text: str) -> None:
    assert changelogs.entries(text) == ()


def test_a_changelog_that_is_cut_off_has_its_whole_entries() -> None:
    text = packed.changelog("tiny", THREE)
    assert [each.version for each in changelogs.entries(text[: text.index("Begin")])] == ["1.2-1", "1.1-1"]


def test_one_package_of_a_source_speaks_for_all(tmp_path: Path) -> None:
    store = Store(tmp_path / "files")
    small, without = packed.deb(tmp_path, "libtiny1", source="tiny")
    large, has = packed.deb(tmp_path, "tiny", packed.changelog("tiny", THREE), padding=9000)
    for path, package in ((small, without), (large, has)):
        store.path(package.sha256).parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(path, store.path(package.sha256))
    found = changelogs.of_sources([has, without], store)
    assert {source: entries[0].version for source, entries in found.items()} == {"tiny": "1.2-1"}


def test_installed_packages_have_the_version_of_their_source() -> None:
    stanza = "Package: mount\nStatus: install ok installed\nVersion: 2.41-5+b1\nInstalled-Size: 12"
    assert status.installed(stanza) == Installed(
        version="2.41-5+b1", source="mount", source_version="2.41-5", size=12288
    )
    of = status.installed(f"{stanza}\nSource: util-linux (2.42-1)")
    assert (of.source, of.source_version) == ("util-linux", "2.42-1")


def etc(folder: Path, files: dict[str, str]) -> dict[str, Default]:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return defaults.read(folder)


def test_defaults_are_compared_and_secrets_are_not_kept(tmp_path: Path) -> None:
    old = etc(
        tmp_path / "old", {"a.conf": "one\ntwo\n", "gone/b": "b\n", "shadow": "root:secret\n", "ld.so.cache": "1"}
    )
    (tmp_path / "new").mkdir()
    (tmp_path / "new/link").symlink_to("a.conf")
    new = etc(tmp_path / "new", {"a.conf": "one\n2\n", "shadow": "root:other\n", "ld.so.cache": "2"})
    (tmp_path / "new/shadow").chmod(0o640)
    (tmp_path / "old/shadow").chmod(0o640)
    old, new = defaults.read(tmp_path / "old"), defaults.read(tmp_path / "new")
    assert old["shadow"].text is None
    found = {each.path: each for each in defaults.edits(old, new)}
    assert {path: each.kind for path, each in found.items()} == {
        "a.conf": "changed", "gone/b": "removed", "link": "added", "shadow": "changed",
    }  # fmt: skip
    assert found["a.conf"].lines[1:] == (" one", "-two", "+2")
    assert found["shadow"].lines == ()


def contents(**versions: str) -> Contents:
    made = {name: Installed(version=each, source=name, source_version=each, size=1_000_000 * int(each[0]))
            for name, each in versions.items()}  # fmt: skip
    entries = tuple(Entry(version=version, date=packed.DATE, author="A", changes=(f"  * {line}",))
                    for version, line in THREE)  # fmt: skip
    return Contents(architecture="amd64", packages=made, changelogs={"tiny": entries})


def test_a_record_travels(tmp_path: Path) -> None:
    made = replace(contents(tiny="1.2-1"), etc={"a": Default(mode=0o644, sha256="0" * 64, text="x")})
    made.write(tmp_path / "first")
    made.write(tmp_path / "second")
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    assert record.read(tmp_path / "first") == made


@pytest.mark.parametrize("content", [
    b"", b"{", gzip.compress(b"{", mtime=0), gzip.compress(b"[]", mtime=0), gzip.compress(b'{"format":9}', mtime=0),
    gzip.compress(b'{"format":1,"packages":{"a":{"b":1}}}', mtime=0),
])  # fmt: skip
def test_what_is_no_record_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "contents.json.gz").write_bytes(content)
    with pytest.raises(InputError, match=r"contents\.json\.gz"):
        record.read(tmp_path / "contents.json.gz")


@pytest.mark.parametrize(("old", "new", "told", "complete"), [
    ("1.0-1", "1.2-1", ["1.2-1", "1.1-1"], True),
    ("1.1-1", "1.2-1", ["1.2-1"], True),
    ("1.2-1", "1.0-1", ["1.2-1", "1.1-1"], True),  # what a downgrade takes back
    ("0.9-1", "1.1-1", ["1.1-1", "1.0-1"], False),
])  # fmt: skip
def test_the_changelog_between_two_versions_is_told(old: str, new: str, told: list[str], complete: bool) -> None:
    found = changes.changes(contents(tiny=old), contents(tiny=new)).news
    assert [(each.old, each.new, each.complete) for each in found] == [(old, new, complete)]
    assert [each.version for each in found[0].entries] == told


def test_sizes_are_told_by_package_the_most_first() -> None:
    found = changes.changes(contents(tiny="1.0-1", big="9.0", same="1"), contents(tiny="1.2-1", new="3.0", same="1"))
    assert [(each.name, each.growth) for each in found.sizes] == [("big", -9_000_000), ("new", 3_000_000)]
    assert (found.old_size, found.new_size) == (11_000_000, 5_000_000)
    assert "Installed size: 11.0 MB → 5.0 MB (-6.0 MB)" in list(found.lines())


def test_the_download_is_what_the_old_commit_has_not(tmp_path: Path) -> None:
    listed = []
    for name, files in (("old", {"aa": 100, "bb": 200}), ("new", {"bb": 200, "cc": 50, "dd": 7})):
        folder = tmp_path / name / "objects/00"
        folder.mkdir(parents=True)
        for digit, size in files.items():
            (folder / f"{digit * 31}.filez").write_bytes(b"x" * size)
        number, total = objects.write(tmp_path / name, tmp_path / f"{name}.gz")
        assert (number, total) == (len(files), sum(files.values()))
        listed.append(objects.read(record.unpacked(tmp_path / f"{name}.gz")))
    assert changes.download(*listed) == changes.Download(objects=2, size=57, whole=257)


def risk(source: str, name: str, version: str = "1.0-1") -> Risk:
    return Risk(source=source, id=name, version=version, urgency="high", description="")


def known(*found: Risk) -> Known:
    return Known(found={(each.source, each.id): each for each in found})


def test_vulnerabilities_are_fixed_new_or_known_since() -> None:
    old = known(risk("tiny", "CVE-1"), risk("tiny", "CVE-2"))
    new = known(risk("tiny", "CVE-2", "1.2-1"), risk("tiny", "CVE-3", "1.2-1"), risk("big", "CVE-4"))
    found = risks.mended(old, new, {"tiny": "1.0-1", "big": "1.0-1"})
    ids = [[each.id for each in part] for part in (found.fixed, found.new, found.known_since)]
    assert ids == [["CVE-1"], ["CVE-3"], ["CVE-4"]]
    assert "Vulnerabilities fixed: 1" in list(found.lines())
    assert "the older compose" in risks.mended(None, new, {}).reason


def test_a_list_nobody_was_asked_for_says_why(tmp_path: Path) -> None:
    path = tmp_path / "vulnerabilities.json"
    path.write_text(json.dumps({"format": 1, "asked": False, "reason": "It cannot be reached.", "vulnerabilities": []}))
    found = risks.mended(risks.read(path), known(), {})
    assert found.reason == "It cannot be reached."
    path.write_text(json.dumps({"format": 1, "asked": True, "reason": "", "vulnerabilities": [
        {"source": "tiny", "id": "CVE-1", "version": "1", "urgency": "low", "description": "d", "status": status}
        for status in ("open", "undetermined")]}))  # fmt: skip
    assert list(risks.read(path).found) == [("tiny", "CVE-1")]
    path.write_text("[]")
    with pytest.raises(InputError, match="not a list of vulnerabilities"):
        risks.read(path)


def test_large_composes_are_compared_quickly(tmp_path: Path) -> None:
    lines = tuple(f"  * A change of middling length, number {number}." for number in range(20))
    entries = tuple(
        Entry(version=f"{number}.0", date=packed.DATE, author="A", changes=lines) for number in (9, 8, 7, 6)
    )
    for name, version in (("old", "6.0"), ("new", "9.0")):
        packages = {f"p{index}": Installed(version=version, source=f"p{index}", source_version=version, size=1 << 20)
                    for index in range(2000)}  # fmt: skip
        etc = {f"e{index}": Default(mode=0o644, sha256="0" * 64, text=f"{name}\n" * 50) for index in range(2000)}
        made = Contents(architecture="amd64", packages=packages, etc=etc,
                        changelogs=dict.fromkeys(packages, entries))  # fmt: skip
        made.write(tmp_path / name)
    begin = time.process_time()
    found = changes.changes(record.read(tmp_path / "old"), record.read(tmp_path / "new"))
    assert len(found.news) == len(found.etc) == 2000
    assert len(found.news[0].entries) == 3
    assert time.process_time() - begin < 5
