"""Bases by debootstrap: the command lines and refusals, and a real one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chroots.engine.layers.debootstrap import apt_settings, debootstrap_command, require_possible, steps
from chroots.engine.spec import DEBIAN_KEYRING, ChrootSpec, Repository
from debatomic.tools.errors import InputError

MIRROR = "http://m.example.org/debian"
CHROOT = ChrootSpec(name="t", suite="trixie", architecture="amd64", bootstrap="debootstrap", packages=("fakeroot",),
                    components=("main", "contrib"), bootstrap_options=("--no-check-certificate",))  # fmt: skip
CLOSED = Repository(name="house", uris=("https://deb.example.org",), suites=("trixie",), secret=Path("/secret"))


def test_the_command_line() -> None:
    command = debootstrap_command(CHROOT, MIRROR, Path("/tree"))
    assert command[0] == "debootstrap" and command[-3:] == ["trixie", "/tree", MIRROR]
    assert {"--arch=amd64", "--variant=buildd", "--force-check-gpg", "--components=main,contrib",
            f"--keyring={DEBIAN_KEYRING}", "--no-check-certificate"} <= set(command)  # fmt: skip


def test_what_follows_in_the_tree() -> None:
    done = [" ".join(step) for step in steps(replace(CHROOT, foreign_architectures=("arm64",)))]
    assert done[0] == "dpkg --add-architecture arm64" and done[1].endswith("update") and done[-1] == "apt-get clean"
    assert [step.rpartition(" ")[2] for step in done] == ["arm64", "update", "dist-upgrade", "fakeroot", "clean"]
    assert not any("install" in step for step in steps(replace(CHROOT, packages=())))
    assert "Valid-Until" not in apt_settings(CHROOT)
    assert 'Check-Valid-Until "false";' in apt_settings(replace(CHROOT, check_valid_until=False))


@pytest.mark.parametrize(
    "spec, mirror, words",
    [
        (replace(CHROOT, variant="standard"), MIRROR, "has the variants buildd and minbase, not standard"),
        (replace(CHROOT, repositories=(CLOSED,)), MIRROR, "secret of the repository house"),
        (CHROOT, "file:///srv/debian", "a folder of this host"),
    ],
)
def test_what_it_cannot_do_is_refused(spec: ChrootSpec, mirror: str, words: str) -> None:
    require_possible(CHROOT, MIRROR)
    with pytest.raises(InputError, match=words):
        require_possible(spec, mirror)


def test_its_bases_are_others() -> None:
    assert replace(CHROOT, bootstrap="mmdebstrap").key != CHROOT.key


@pytest.mark.integration
def test_a_real_base_knows_its_packages(engine: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    definition = "base: trixie-amd64-minbase\nbootstrap: debootstrap\npackages: [bc]\n"
    (tmp_path / "made.yaml").write_text(definition)
    status, output = engine("init", "made", "--definitions", tmp_path, "--output", tmp_path / "out")
    assert status == 0, output[-3000:]
    told = json.loads((tmp_path / "out/result.json").read_text())
    assert told["ok"] and told["base"]["packages"] > 50
    status, output = engine(
        "run", "made", "--definitions", tmp_path, "--", "sh", "-c", "echo 6*7 | bc; apt-cache policy jq"
    )
    assert status == 0 and "42\n" in output and "Candidate: 1." in output
    engine("scrub", "made", "--definitions", tmp_path)
