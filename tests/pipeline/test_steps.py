"""The order of installation: the same for the same names, whatever the versions are."""

from __future__ import annotations

from composes.pipeline.packages.indexes import of_names
from composes.pipeline.packages.steps import steps

PACKAGES = """\
Package: libc6
Version: {libc}
Architecture: amd64

Package: bash
Essential: yes
Version: 5.2
Depends: debianutils (>= 5)
Pre-Depends: libc6 (>= 2.41)

Package: debianutils
Version: 5
Priority: required

Package: mawk
Version: 1
Provides: awk

Package: base-files
Essential: yes
Version: 13
Pre-Depends: awk | gawk

Package: apt
Version: 3
Depends: libapt

Package: libapt
Version: 3

Package: libssl3t64
Version: 3
Depends: libc6

Package: libssh
Version: 1
Provides: ssh-library (= 1)
Depends: libssl3t64

Package: openssh-server
Version: {ssh}
Depends: ssh-library, bash

Package: zstd
Version: 1
"""
STEPS = [
    ("apt", "base-files", "bash", "debianutils", "libapt", "libc6", "mawk"), ("libssh", "libssl3t64"),
    ("openssh-server", "zstd"),
]  # fmt: skip


def test_first_what_every_debian_has_last_what_nobody_needs() -> None:
    found = steps(PACKAGES.format(libc="2.41", ssh="10"))
    assert [each.names for each in found] == STEPS
    assert found[2].index.count("Package: ") == 2 and "Version: 10" in found[2].index


def test_a_new_version_leaves_what_comes_before_as_it_is() -> None:
    old, new = (steps(PACKAGES.format(libc="2.41", ssh=version)) for version in ("10", "11"))
    assert old[:2] == new[:2] and old[2] != new[2]


def test_a_step_without_packages_is_left_out() -> None:
    assert [each.names for each in steps("Package: apt\nVersion: 3\n")] == [("apt",)]


def test_paragraphs_are_found_by_name() -> None:
    found = list(of_names(PACKAGES, {"zstd", "libc6", "gawk"}))
    assert [each.splitlines()[0] for each in found] == ["Package: libc6", "Package: zstd"]
    assert found[0] == "Package: libc6\nVersion: {libc}\nArchitecture: amd64"
