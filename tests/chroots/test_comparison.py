"""Built packages beside the archive's: identical, absent, or different, and then where."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from chroots.engine.archives import openpgp
from chroots.engine.archives.binaries import find_binaries, index_paths, paragraphs, parts
from chroots.engine.archives.fetch import Store
from chroots.engine.archives.release import Release
from chroots.engine.building.comparison import ComparisonSpec, Verdict, compare, counts, packages_in
from chroots.engine.building.diffoscope import diffoscope_command
from chroots.engine.spec import ChrootSpec, Repository
from chroots.engine.state import State
from debatomic.tools.errors import InputError

EXTRA = Path(__file__).parent / "extra"
DEB = EXTRA / "pool/extra-test_1.5_all.deb"
DEFINITION = f"suite: stable-extra\narchitecture: amd64\nmirror: file://{EXTRA}\nkeyring: {{keyring}}\n"
PACKAGES = b"Package: bat\nVersion: 1\n\nPackage: cat\nVersion: 1:2\nDescription: x\n Version: 3\nSHA256: aa\n\n"
Engine = Callable[..., tuple[int, str]]


@pytest.fixture
def keyring(tmp_path: Path) -> Path:
    path = tmp_path / "extra.gpg"
    path.write_bytes(openpgp.binary((EXTRA / "key.asc").read_bytes(), "key.asc"))
    return path


@pytest.fixture
def chroot(keyring: Path) -> ChrootSpec:
    """A chroot whose whole archive is the tests' own."""
    return ChrootSpec(name="extra", suite="stable-extra", architecture="amd64", mirror=f"file://{EXTRA}",
                      keyring=keyring)  # fmt: skip


def copied(folder: Path, name: str = DEB.name, content: bytes = b"") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content or DEB.read_bytes())
    return path


def changes(folder: Path, *packages: Path) -> Path:
    lines = [f" {hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_size} {path.name}" for path in packages]
    path = folder / "extra-test_1.5_amd64.changes"
    path.write_text("Format: 1.8\nChecksums-Sha256:\n" + "\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    "name, expected",
    [
        ("figlet_2.2.5-3+b2_amd64.deb", ("figlet", "2.2.5-3+b2", "amd64")),
        ("libc6-udeb_2.41-12_arm64.udeb", ("libc6-udeb", "2.41-12", "arm64")),
        ("figlet.deb", None),
        ("../figlet_1_amd64.deb", None),
        ("figlet_1_amd64.deb\n", None),
    ],
)
def test_the_name_of_a_file_says_what_it_is(name: str, expected: tuple[str, str, str] | None) -> None:
    if expected:
        assert parts(name) == expected
        return
    with pytest.raises(InputError, match="is not the name of a binary package"):
        parts(name)


def test_of_a_long_index_only_the_wanted_paragraphs_are_read() -> None:
    lines = PACKAGES.splitlines(keepends=True)
    assert list(paragraphs(lines, {"cat"})) == [{"Package": "cat", "Version": "1:2", "SHA256": "aa"}]
    assert [found["Package"] for found in paragraphs(lines[:-1], {"bat", "cat"})] == ["bat", "cat"]


@pytest.mark.parametrize(
    "listed, wanted, expected",
    [
        ("all amd64 arm64", {"amd64", "all"}, ["main/binary-amd64/Packages.xz"]),
        ("amd64 arm64", {"all"}, ["main/binary-amd64/Packages.xz"]),
        ("arm64 amd64", {"arm64"}, ["main/binary-arm64/Packages"]),
        ("amd64", {"riscv64"}, ["main/binary-amd64/Packages.xz"]),
    ],
)
def test_each_index_is_read_once_and_packed_if_it_can_be(listed: str, wanted: set[str], expected: list[str]) -> None:
    names = ("main/binary-amd64/Packages", "main/binary-amd64/Packages.xz", "main/binary-arm64/Packages")
    release = Release(url="", digest="", fields={"Architectures": listed}, files=dict.fromkeys(names, ("", 0)))
    assert index_paths(release, ["main"], wanted) == expected


def test_a_package_is_found_by_the_signed_indexes_of_all_archives(chroot: ChrootSpec, tmp_path: Path) -> None:
    more = Repository(name="late", uris=(f"file://{EXTRA}",), suites=("late-extra",), key=str(EXTRA / "key.asc"))
    both = ChrootSpec(name="c", suite=chroot.suite, architecture="amd64", mirror=chroot.mirror, keyring=chroot.keyring,
                      repositories=(more,))  # fmt: skip
    found = find_binaries(both, [DEB.name], Store(tmp_path / "files"))[DEB.name]
    assert [(binary.version, binary.file.name) for binary in found] == [
        ("1.5", DEB.name), ("2.0", "extra-test_2.0_all.deb")]  # fmt: skip
    assert found[0].file.sha256 == hashlib.sha256(DEB.read_bytes()).hexdigest()


def test_what_the_changes_file_lists_is_compared_and_must_be_as_listed(tmp_path: Path) -> None:
    deb, other = copied(tmp_path / "out"), copied(tmp_path / "out", "other_1_all.deb")
    assert packages_in(tmp_path / "out") == [deb, other]
    listed = changes(tmp_path / "out", deb)
    assert packages_in(listed) == packages_in(tmp_path / "out") == [deb]
    deb.write_bytes(b"something else")
    with pytest.raises(InputError, match=f"{DEB.name} is altered"):
        packages_in(listed)
    with pytest.raises(InputError, match="There are no binary packages in"):
        packages_in(EXTRA)


def test_identical_and_absent_are_told_without_diffoscope(chroot: ChrootSpec, tmp_path: Path) -> None:
    names = (DEB.name, "extra-test_1.6_all.deb", "unheard-of_1_all.deb")
    packages = [copied(tmp_path / "out", name) for name in names]
    said: list[bytes] = []
    spec = ComparisonSpec(packages=packages, chroot=chroot, output=tmp_path / "reports")
    found = compare(spec, State(tmp_path / "state"), said.append)
    assert [one.verdict for one in found] == [Verdict.IDENTICAL, Verdict.ABSENT, Verdict.ABSENT]
    assert [one.note for one in found] == ["", "stable-extra has 1.5", "stable-extra has no such package"]
    assert counts(found) == {"identical": 1, "different": 0, "absent": 2}
    assert b"identical extra-test_1.5_all.deb\n" in said
    assert not (tmp_path / "reports").exists()


def test_diffoscope_writes_down_what_it_found_before_its_time_is_over() -> None:
    command = diffoscope_command("a_1_all.deb", 600)
    assert {"--timeout=300", "--text=/work/report.txt", "--html=/work/report.html"} <= set(command)
    assert command[-2:] == ["/archive/a_1_all.deb", "/built/a_1_all.deb"]


@pytest.fixture
def definitions(keyring: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / "house.yaml").write_text(DEFINITION.format(keyring=keyring))
    return folder


def rebuilt(folder: Path, word: str) -> Path:
    """The package of the archive with another word in it."""
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "--raw-extract", DEB, tree], check=True)
    (tree / "usr/share/extra-test/word").write_text(word)
    deb = copied(folder / "out", content=b"x")
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, deb], check=True, stdout=subprocess.DEVNULL)
    return deb


@pytest.mark.integration
def test_a_changed_package_is_told_by_diffoscope(engine: Engine, definitions: Path, tmp_path: Path) -> None:
    deb = rebuilt(tmp_path, "built <elsewhere>\n")
    status, output = engine("compare", deb.parent, "--chroot", "house", "--definitions", definitions, "--json")
    (found,) = json.loads(output)["packages"]
    assert (status, found["verdict"], found["note"]) == (0, "different", ""), output
    assert found["archive_sha256"] == hashlib.sha256(DEB.read_bytes()).hexdigest() != found["sha256"]
    text, html = (deb.parent / "comparison" / name for name in found["reports"])
    assert "-1.5 from the extra repository" in text.read_text()
    assert "+built <elsewhere>" in text.read_text()
    assert "&lt;" in html.read_text()
    assert "<elsewhere>" not in html.read_text()
    assert json.loads((deb.parent / "comparison/result.json").read_text())["counts"]["different"] == 1
    status, output = engine("compare", deb.parent, "--chroot", "house", "--definitions", definitions, "--exit-code")
    assert status == 1
    assert output.endswith("compared: 0 identical, 1 different, 0 absent\n")


@pytest.mark.integration
def test_diffoscope_is_held_by_its_limits(
    engine: Engine, definitions: Path, tmp_path: Path, engine_state: Path
) -> None:
    deb = rebuilt(tmp_path, "\0" * (64 << 20))  # which takes it minutes
    limits = ["--disk", "256M", "--memory", "1G", "--time-limit", "2"]
    before = sorted((engine_state / "work").glob(".[nd]*"))
    status, output = engine("compare", deb.parent, "--chroot", "house", "--definitions", definitions, "--json", *limits)
    (found,) = json.loads(output)["packages"]
    assert (status, found["verdict"], found["note"]) == (0, "different", "diffoscope did not end within 2 s")
    assert sorted((engine_state / "work").glob(".[nd]*")) == before
