"""Locks: what names their content, what differs, and what is not a lock."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from composes.pipeline import cli
from composes.pipeline.compare import compare
from composes.pipeline.packages import lock as locks
from composes.pipeline.packages.lock import Lock, Package
from debatomic.tools.errors import InputError


def package(name: str, version: str = "1.0-1", content: str = "a") -> Package:
    return Package(name=name, architecture="amd64", version=version, sha256=content * 64, size=10,
                   uri=f"http://mirror.example.org/debian/pool/{name}.deb", origin="debian", source=name)  # fmt: skip


def lock_of(*packages: Package) -> Lock:
    return Lock(suite="trixie", architecture="amd64", debian_version="13.1", date=1757663741, packages=packages,
                releases={"debian": "0" * 64})  # fmt: skip


def test_what_is_written_is_read(tmp_path: Path) -> None:
    lock = lock_of(package("apt"), package("bash", "1:5.2-1"))
    lock.write(tmp_path / "lock.json")
    assert locks.read(tmp_path / "lock.json") == lock


def test_the_digest_names_the_content_not_the_mirror() -> None:
    one = lock_of(package("apt"), package("bash"))
    elsewhere = replace(package("apt"), uri="http://other.example.org/apt.deb")
    assert lock_of(package("bash"), elsewhere).digest == one.digest
    assert lock_of(package("apt"), package("bash", content="b")).digest != one.digest
    assert replace(one, date=1).digest != one.digest


def test_an_epoch_is_quoted_in_the_file_name() -> None:
    assert package("bash", "1:5.2-1").file_name == "bash_1%3a5.2-1_amd64.deb"


def test_what_differs_is_named() -> None:
    old = lock_of(package("apt"), package("bash"), package("dash"), package("nano", "3~rc1-1"), package("zsh"))
    new = lock_of(package("apt"), package("bash", "2.0-1", "b"), package("dash", content="c"), package("fish"),
                  package("nano", "2.9-1", "d"))  # fmt: skip
    found = compare(old, new)
    assert [each.name for each in found.added] == ["fish"] and [each.name for each in found.removed] == ["zsh"]
    assert [(each.new.name, each.kind) for each in found.changed] == [
        ("bash", "upgraded"), ("dash", "rebuilt"), ("nano", "downgraded"),
    ]  # fmt: skip
    assert (found.fresh, found.old_size, found.new_size, found.is_same) == (40, 50, 50, False)
    assert list(found.lines()) == [
        "amd64: 1 added, 1 removed, 1 upgraded, 1 downgraded, 1 rebuilt; 0.0 MB of packages are new",
        "  + fish 1.0-1", "  - zsh 1.0-1", "  * bash 1.0-1 → 2.0-1", "  * dash 1.0-1 (rebuilt)",
        "  * nano 3~rc1-1 → 2.9-1 (downgraded)",
    ]  # fmt: skip


def test_equal_locks_have_the_same_packages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("old.json", "new.json"):
        lock_of(package("apt")).write(tmp_path / name)
    assert cli.main(["compare", str(tmp_path / "old.json"), str(tmp_path / "new.json")]) == 0
    assert capsys.readouterr().out == "amd64: the same packages\n"


@pytest.mark.parametrize(("change", "sentence"), [
    ({"format": 99}, "is not a lock of this version: at format"),
    ({"packages": "all"}, "at packages"),
    ({"date": "yesterday"}, "at date"),
])  # fmt: skip
def test_what_is_not_a_lock_is_refused(tmp_path: Path, change: dict[str, object], sentence: str) -> None:
    path = tmp_path / "lock.json"
    path.write_text(json.dumps({**lock_of(package("apt")).as_json(), **change}))
    with pytest.raises(InputError, match=sentence):
        locks.read(path)


@pytest.mark.parametrize(("field", "value"), [
    ("name", "../../etc/passwd"), ("version", "1 2"), ("architecture", "a/b"), ("sha256", "xyz"), ("uri", "ftp://x/y"),
    ("size", 0),
])  # fmt: skip
def test_a_package_cannot_lead_elsewhere(tmp_path: Path, field: str, value: object) -> None:
    content = lock_of(package("apt")).as_json()
    content["packages"][0][field] = value
    (tmp_path / "lock.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=f"packages/0/{field}"):
        locks.read(tmp_path / "lock.json")


def test_a_package_twice_is_refused(tmp_path: Path) -> None:
    lock_of(package("apt"), package("apt", "2.0-1")).write(tmp_path / "lock.json")
    with pytest.raises(InputError, match="holds apt twice"):
        locks.read(tmp_path / "lock.json")


def test_a_missing_or_broken_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no lock file"):
        locks.read(tmp_path / "none.json")
    (tmp_path / "half.json").write_text('{"format":')
    with pytest.raises(InputError, match="not JSON"):
        locks.read(tmp_path / "half.json")


@pytest.mark.parametrize(("suite", "architecture", "sentence"), [
    ("forky", "amd64", "The lock is for suite trixie, the treefile for forky."),
    ("trixie", "arm64", "The lock is for architecture amd64, the treefile for arm64."),
])  # fmt: skip
def test_a_lock_fits_its_treefile(suite: str, architecture: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        locks.check_fits(lock_of(package("apt")), suite, architecture)
