"""Tests of source packages by autopkgtest: what its words mean, what may be fetched for it, and a real run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from chroots.engine.checking import autopkgtest, testbed
from chroots.engine.layers.dependencies import parse_uris
from chroots.engine.spec import ChrootSpec
from debatomic.tools.errors import InfrastructureError

SUMMARY = """first                PASS
second               PASS (superficial)
third                SKIP Test needs to be run on bare metal
fourth               FLAKY non-zero exit status 1
fifth                FAIL badpkg
blame: /run/source/a.dsc
badpkg: Test dependencies are unsatisfiable.
"""


def ran(summary: str, output: str = "", status: int = 0) -> testbed.Ran:
    return testbed.Ran(status=status, summary=summary, output=output, wanted="")


def test_the_words_of_a_summary_are_read() -> None:
    found = autopkgtest.results(ran(SUMMARY))
    assert [each.word for each in found] == ["PASS", "PASS", "SKIP", "FLAKY", "FAIL"]
    assert (found[1].detail, found[4].detail) == ("(superficial)", "badpkg")
    said = "autopkgtest [08:00:00]: test a: [-----------------------\none\nno\nautopkgtest [08:00:01]: test a: " \
        "-----------------------]\n"  # fmt: skip
    assert autopkgtest.results(ran("a FAIL x", said))[0].lines == ["one", "no"]
    unmet = " a : Depends: b but it is not installable\n" * 2
    assert autopkgtest.results(ran("a FAIL badpkg", unmet))[0].lines == ["a : Depends: b but it is not installable"]


@pytest.mark.parametrize(
    "lines, verdict, summary",
    [
        (range(5), "fail", "Of 5 tests: 2 passed, 1 failed, 1 skipped, 1 flaky and failed."),
        (range(4), "warn", "Of 4 tests: 2 passed, 1 skipped, 1 flaky and failed."),
        (range(3), "pass", "Of 3 tests: 2 passed, 1 skipped."),
        (range(2, 3), "skip", "Of 1 tests: 1 skipped."),
        (range(0), "skip", "The source package has no tests for autopkgtest."),
    ],
)
def test_what_tests_come_to(lines: range, verdict: str, summary: str) -> None:
    text = "\n".join(SUMMARY.splitlines()[line] for line in lines)
    found = autopkgtest.judged(autopkgtest.results(ran(text)))
    assert (found.verdict, found.summary) == (verdict, summary)
    assert [each["name"] for each in found.facts["tests"]] == [line.split()[0] for line in text.splitlines()]


@pytest.mark.parametrize(
    "url, fetched",
    [
        ("http://mirror.example.org/debian/pool/main/a/a_1_all.deb", True),
        ("http://mirror.example.org/debian/../secret", False),
        ("http://mirror.example.org/debian/%2e%2E/secret", False),
        ("http://mirror.example.org.evil.example/debian/a.deb", False),
        ("http://127.0.0.1/admin", False),
        ("file:/etc/shadow", False),
    ],
)
def test_only_what_the_archives_have_is_fetched(url: str, fetched: bool) -> None:
    chroot = ChrootSpec(name="a", suite="trixie", architecture="amd64", mirror="http://mirror.example.org/debian")
    assert testbed.is_in(testbed.places(chroot), f"'{url}' a_1_all.deb 5 SHA256:{'0' * 64}") == fetched


@pytest.mark.parametrize("name", ["../../../etc/cron.d/mine", "/etc/cron.d/mine", "..", ".", ".hidden", "a b"])
def test_a_file_that_a_test_names_stays_where_it_belongs(name: str) -> None:
    line = f"'http://mirror.example.org/debian/a.deb' {name} 5 SHA256:{'0' * 64}"
    assert not testbed.is_in(["http://mirror.example.org/debian"], line)
    with pytest.raises(InfrastructureError):
        parse_uris(line)


def test_what_a_test_says_is_looked_at_once() -> None:
    said = "autopkgtest [08:00:00]: test a: [-----------------------\n" * 100_000
    assert autopkgtest.results(ran("a FAIL x", said))[0].lines == []
    ended = said.partition("\n")[0] + f"\n{'x' * 9999}\nautopkgtest [08:00:01]: test a: -----------------------]\n"
    assert autopkgtest.results(ran("a FAIL x", ended))[0].lines == ["x" * 500]


CONTROL = """Tests: installed
Depends: @

Tests: machine
Depends: @
Restrictions: isolation-machine

Tests: online
Depends:
Restrictions: needs-internet

Tests: wavering
Depends:
Restrictions: flaky
"""
INSTALLED = '#!/bin/sh\ngrep hello /usr/share/tested/payload && [ "$(id -un)" != root ]\n'


@pytest.mark.integration
def test_each_test_runs_in_a_jail_with_what_was_built(
    source_package: Callable[..., Path], engine: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    tests = {
        "control": CONTROL,
        "installed": INSTALLED,
        "machine": "#!/bin/sh\n",
        "online": "#!/bin/sh\n",
        "wavering": "#!/bin/sh\nexit 3\n",
    }
    dsc = source_package("tested", tests=tests)
    made = tmp_path / "made"
    status, said = engine("build", dsc, "--chroot", "trixie-amd64", "--output", made)
    assert status == 0, said
    status, said = engine("check", "autopkgtest", made, "--source", dsc)
    assert status == 0, said
    told = json.loads((made / "check-autopkgtest/result.json").read_text())
    assert {each["name"]: each["result"] for each in told["facts"]["tests"]} == {
        "installed": "PASS", "machine": "SKIP", "online": "SKIP", "wavering": "FLAKY",
    }, said  # fmt: skip
    assert told["verdict"] == "warn" and "hello" in (made / "check-autopkgtest/autopkgtest.txt").read_text()
