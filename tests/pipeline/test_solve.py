"""Packages lists: what they name, what every system has, what apt's answer means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chroots.engine.archives.release import Release
from composes.pipeline.packages import indexes, solve
from composes.pipeline.packages.indexes import Source
from composes.pipeline.packages.solve import Listed
from composes.pipeline.treefiles import treefile
from composes.pipeline.treefiles.marks import Text
from composes.pipeline.treefiles.treefile import Repository, Tree
from debatomic.tools.errors import CommandFailed, InputError, ToolError

LIST = """\
Package: base-files
Essential: yes
Version: 13.8
Architecture: amd64
Filename: pool/b/base-files_13.8_amd64.deb
Size: 10
SHA256: aa

Package: mount
Priority: required
Source: util-linux (2.41-5)
Version: 1:2.41-5
Architecture: amd64
Filename: pool/u/mount_2.41-5_amd64.deb
Size: 20
SHA256: bb

Package: mawk
Priority: optional
Provides: awk, virtual-thing (= 1.0)
Version: 1.3
Architecture: amd64
Filename: pool/m/mawk_1.3_amd64.deb
Size: 30
SHA256: cc
"""
REPOSITORY = Repository(name="debian", uri="http://mirror.example.org/debian/", suite="trixie", key="")
RELEASE = Release(url="http://mirror.example.org/debian/dists/trixie/InRelease", digest="0" * 64, files={},
                  fields={"Date": "Sat, 12 Sep 2026 07:55:41 UTC", "Version": "13.1"})  # fmt: skip
LISTED = Listed(source=Source(repository=REPOSITORY, release=RELEASE), text=LIST)
HOUSE = Path(__file__).parents[2] / "composes/definitions/debian-atomic.yaml"


def tree(**changes: object) -> Tree:
    plain = treefile.resolve(treefile.load(HOUSE), "minimal", "amd64")
    return replace(plain, **{"packages": (), **changes})  # type: ignore[arg-type]


def printed(*files: str) -> str:
    return "\n".join(f"'file:/state/work/apt/archives/debian/pool/x/{name}' {name} 10 MD5Sum:00" for name in files)


def test_what_can_be_asked_for() -> None:
    assert indexes.names(LIST) == {"base-files", "mount", "mawk", "awk", "virtual-thing"}


def test_what_every_system_has() -> None:
    assert indexes.base_names(LIST) == ["apt", "base-files", "mount"]


def test_the_date_of_an_archive_is_that_of_its_release() -> None:
    assert LISTED.source.date == 1789199741


def test_what_apt_prints_becomes_packages() -> None:
    found = solve._packages(printed("base-files_13.8_amd64.deb", "mount_1%3a2.41-5_amd64.deb"), [LISTED])
    assert [(each.name, each.version, each.source, each.sha256) for each in found] == [
        ("base-files", "13.8", "base-files", "aa"), ("mount", "1:2.41-5", "util-linux", "bb"),
    ]  # fmt: skip
    assert found[0].uri == "http://mirror.example.org/debian/pool/b/base-files_13.8_amd64.deb"


@pytest.mark.parametrize("files", [(), ("unheard-of_1_amd64.deb",)])
def test_an_answer_that_does_not_fit_the_lists_is_never_believed(files: tuple[str, ...]) -> None:
    with pytest.raises(ToolError, match="apt wants"):
        solve._packages(printed(*files), [LISTED])


def test_a_package_that_does_not_exist_is_named_with_its_line() -> None:
    asked = tree(packages=(Text("mawk", "a.yaml:3"), Text("base-fils", "a.yaml:4")))
    with pytest.raises(InputError) as caught:
        solve.named(asked, [LISTED])
    assert str(caught.value) == "a.yaml:4: there is no package base-fils in debian (trixie); did you mean base-files?"


@pytest.mark.parametrize(("packages", "exclude", "wanted"), [
    (("m*",), (), ("mawk", "mount")),
    (("m*", "mawk"), ("ma*",), ("mount", "mawk")),  # named without a pattern it stays, and the check tells
    (("awk", "[b]ase-*"), (), ("awk", "base-files")),
    (("moun?",), ("mount",), ()),
])  # fmt: skip
def test_patterns_become_packages(packages: tuple[str, ...], exclude: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    assert solve.named(tree(packages=packages, exclude=exclude), [LISTED]).packages == wanted


def test_a_pattern_that_fits_nothing_is_named_with_its_line() -> None:
    with pytest.raises(InputError, match=r"a\.yaml:3: there is no package fonts-\* in debian"):
        solve.named(tree(packages=(Text("fonts-*", "a.yaml:3"),)), [LISTED])


def test_what_is_excluded_must_exist_and_must_not_be_needed() -> None:
    with pytest.raises(InputError, match="there is no package nonsense in debian"):
        solve.named(tree(exclude=("nonsense",)), [LISTED])
    found = solve._packages(printed("mawk_1.3_amd64.deb"), [LISTED])
    with pytest.raises(InputError, match=r"a\.yaml:9: mawk is excluded, but another package needs it"):
        solve._check_excluded(tree(exclude=(Text("mawk", "a.yaml:9"),)), found)


@pytest.mark.parametrize(("tail", "reason"), [
    ("Reading...\n a : Depends: b (>= 2) but 1 is to be installed\nE: Unable to correct problems\n",
     "a : Depends: b (>= 2) but 1 is to be installed."),
    ("E: Unable to correct problems, you have held broken packages.\n"
     "1. dpkg:amd64=1.22.22 is selected for install\n2. dpkg:amd64 PreDepends libc6 (>= 2.38)\n"
     "but none of the choices are installable:\n- libc6:amd64 is not selected for install\n",
     "dpkg PreDepends libc6 (>= 2.38), but libc6 is not selected for install."),
    ("E: Something else.\n", "Something else."),
    ("", "apt found no solution."),
])  # fmt: skip
def test_apts_reason_is_the_sentence(tail: str, reason: str) -> None:
    error = solve._no_solution(CommandFailed(["apt-get"], 100, tail=tail))
    assert str(error) == f"These packages cannot be installed together: {reason}"


@pytest.mark.parametrize("key", ["", "no key", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!!\n-----END"])
def test_a_key_that_is_none_is_refused_with_its_line(key: str) -> None:
    with pytest.raises(InputError, match=r"a\.yaml:7: the key of repository own is not"):
        indexes.dearmoured(replace(REPOSITORY, name="own", key=Text(key, "a.yaml:7")))


def test_a_key_is_dearmoured() -> None:
    block = "PGP PUBLIC KEY BLOCK-----\n"
    armoured = f"-----BEGIN {block}Comment: x\n\nmQENBF\nAAAA==\n=abcd\n-----END {block}"
    assert indexes.dearmoured(replace(REPOSITORY, key=armoured))[:4] == b"\x99\x01\x0d\x04"
