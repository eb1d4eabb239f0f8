"""Checks of what was built: what tools say, what it means, and real ones over packages made for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from chroots.engine.archives.binaries import Binary
from chroots.engine.archives.fetch import RemoteFile
from chroots.engine.checking import debdiff, dependants, earlier, hardening, installing, lintian, reproducible, symbols
from chroots.engine.checking.check import Finding, Verdict
from chroots.engine.checking.table import CHECKS, check
from debatomic.tools.errors import InputError, ToolError

DOCUMENT = Path(__file__).parents[2] / "docs/checks.md"
Engine = Callable[..., tuple[int, str]]


def test_the_documentation_names_all_checks() -> None:
    text = DOCUMENT.read_text()
    assert all(f"`{name}`" in text for name in CHECKS)
    with pytest.raises(InputError, match="There is no check 'lintain'; did you mean lintian"):
        check("lintain")


def test_what_is_told_moves_no_cursor_and_stays_small() -> None:
    found = Finding(verdict=Verdict.FAIL, summary="a\x1b[2Jb", lines=["x" * 1000, *["y"] * 50])
    assert found.told["summary"] == "a␛[2Jb"
    assert [len(line) for line in found.told["decisive"]] == [300, *[1] * 11]


@pytest.mark.parametrize(
    "output, verdict, summary",
    [
        ("", "pass", "lintian found neither errors nor warnings."),
        ("W: figlet source: old-thing x\nI: figlet: no-matter\n", "warn", "lintian found 0 errors and 1 warnings."),
        ("W: a: old-thing\nE: a: bad-thing [x]\n", "fail", "lintian found 1 errors and 1 warnings."),
    ],
)
def test_lintian(output: str, verdict: str, summary: str) -> None:
    told = lintian.judged(output).told
    assert (told["verdict"], told["summary"]) == (verdict, summary)
    assert told["decisive"][:1] == ([] if verdict == "pass" else [output.splitlines()[-1 if verdict == "fail" else 0]])


def walk(status: int, output: str, left: list[str]) -> installing.Walk:
    made = installing.Walk(name="install")
    made.note("purge", status, output)
    made.wrong += left
    return made


@pytest.mark.parametrize(
    "status, output, left, verdict, summary",
    [
        (0, "Purging", [], "pass", "Tried: install, remove, purge; nothing is left."),
        (1, "Removing\ndpkg: error processing package a (--purge):\n x", [], "fail",
         "install, purge: dpkg: error processing package a (--purge):"),
        (0, "", ["install: /a is left after purging", "install: /b is left after purging"], "fail",
         "install: /a is left after purging (and 1 more)"),
    ],
)  # fmt: skip
def test_install(status: int, output: str, left: list[str], verdict: str, summary: str) -> None:
    found = installing.judged([walk(status, output, left)])
    assert (found.verdict, found.summary) == (verdict, summary)


def test_what_apt_would_install_is_read_and_what_tools_write_is_not_told() -> None:
    output = "'http://x/libc6_2_amd64.deb' libc6_2_amd64.deb 5 SHA256:0\n'file:/run/made/a_1_all.deb' a_1_all.deb 5 \n"
    assert installing.named(output) == {"libc6", "a"}
    paths = ("/var/lib/dpkg/info/a.list", "/etc/passwd-", "/tmp", "/tmp/x", "/var/lib/a", "/etc/a.conf")
    assert [path for path in paths if installing.told(path)] == ["/tmp/x", "/var/lib/a", "/etc/a.conf"]


DEBDIFF = """[The following lists of changes regard files as different if they have
different names, permissions or owners.]

Files in second set of .debs but not in first
---------------------------------------------
-rw-r--r--  root/root   /usr/share/new

Files in first set of .debs but not in second
---------------------------------------------
-rw-r--r--  root/root   /usr/share/doc/a/changelog.Debian.amd64.gz
-rwxr-xr-x  root/root   /usr/bin/gone

Control files of package a: lines which differ (wdiff format)
-------------------------------------------------------------
Depends: libc6 (>= [-2.38)-] {+2.41)+}
Version: [-1-] {+2+}
"""


def test_debdiff() -> None:
    found = debdiff.judged(DEBDIFF, "1")
    assert (found.verdict, found.summary) == ("warn", "Since 1: 1 files added, 1 removed, 1 relations changed.")
    assert found.lines[0] == "- -rwxr-xr-x  root/root   /usr/bin/gone"
    assert debdiff.judged("No differences were encountered\n", "1").verdict == "pass"


OLD = "liba.so.1 checked #MINVER#\n a_one@Base 0\n a_two@Base 0\nlibb.so.1 checked #MINVER#\n b@Base 0\n"


@pytest.mark.parametrize(
    "new, verdict, lines",
    [
        (OLD, "pass", []),
        (OLD.replace(" a_two@Base 0\n", " a_new@Base 0\n"), "fail", ["liba.so.1: a_two@Base is gone"]),
        (OLD.partition("libb")[0], "warn", ["libb.so.1 is gone"]),
    ],
)
def test_symbols(new: str, verdict: str, lines: list[str]) -> None:
    found = symbols.judged(symbols.libraries(OLD), symbols.libraries(new), "1")
    assert (found.verdict, list(found.lines)) == (verdict, lines)


@pytest.mark.parametrize(
    "status, log, programs, verdict, summary",
    [
        (0, "", "no-cfprotection:./usr/bin/a\n", "pass",
         "No program lacks hardening; all compilers were called with hardening flags."),
        (4, "", "", "pass", "No program lacks hardening; the log does not show how compilers were called."),
        (8, "CFLAGS missing (-O2): gcc a.c\n", "", "fail", "1 compilers were called without hardening flags."),
        (0, "", "no-pie:./usr/bin/a\n", "warn", "1 times a program is not position independent, or has no RELRO."),
    ],
)  # fmt: skip
def test_hardening(status: int, log: str, programs: str, verdict: str, summary: str) -> None:
    found = hardening.judged(status, log, programs)
    assert (found.verdict, found.summary) == (verdict, summary)


def test_a_tool_that_does_not_work_says_nothing_of_the_package() -> None:
    with pytest.raises(ToolError, match="blhc exited with status 2: oh"):
        hardening.judged(2, "oh", "")


@pytest.mark.parametrize(
    "different, changed, verdict, summary",
    [
        ([], [], "pass", "All 1 packages are the same, built again in another environment."),
        (["a.deb"], [], "fail", "1 of 1 packages differ, built again in another environment."),
        (["a.deb"], ["gcc 1 → 2"], "warn",
         "1 of 1 packages differ, built again in another environment; 1 build dependencies changed since."),
    ],
)  # fmt: skip
def test_reproducible(different: list[str], changed: list[str], verdict: str, summary: str) -> None:
    found = reproducible.judged(["a.deb"], different, changed)
    assert (found.verdict, found.summary) == (verdict, summary)
    assert reproducible.changes({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2"}) == ["b 1 → 2", "c 1 → absent"]


def test_dependants() -> None:
    broken = " -\n  package: {}\n  version: 1\n  reasons:\n   -\n     package: libz\n"
    report = f"@@ count 3\n@@ old\n{broken.format('old')}@@ made\n{broken.format('old')}{broken.format('new')}"
    found = dependants.judged(report)
    assert (found.verdict, found.lines) == ("fail", ["new"])
    assert dependants.judged("@@ count 0\n").summary == "Nothing in the suite depends on these packages."
    assert dependants.judged("@@ count 3\n@@ old\n@@ made\n").summary == "All 3 dependants can be installed as before."


@pytest.mark.parametrize(
    "versions, ours, expected",
    [(("1", "1.2", "2"), "1.5", "1.2"), (("1:2.2.5-3+b2",), "2.2.5-3", "1:2.2.5-3+b2"), (("3",), "2", None)],
)
def test_the_version_before_is_the_newest_that_is_not_newer(
    versions: tuple[str, ...], ours: str, expected: str | None
) -> None:
    file = RemoteFile(name="a", url="http://mirror.example.org/a", size=1, sha256="0" * 64)
    known = [Binary(package="a", version=version, architecture="amd64", file=file) for version in versions]
    found = earlier.newest(known, ours)
    assert (found.version if found else None) == expected


POSTINST = r"printf '\#!/bin/sh\nmkdir -p /var/lib/leaving\n' > debian/tmp/DEBIAN/postinst"


@pytest.mark.integration
def test_a_package_that_leaves_something_and_knows_its_builder(
    source_package: Callable[..., Path], engine: Engine, tmp_path: Path
) -> None:
    dsc = source_package("leaving", "mkdir -p debian/tmp/DEBIAN", POSTINST, "chmod 755 debian/tmp/DEBIAN/postinst",
                         "echo built by $$USER > payload")  # fmt: skip
    made = tmp_path / "made"
    status, said = engine("build", dsc, "--chroot", "trixie-amd64", "--output", made)
    assert status == 0, said
    told = {}
    for name in ("install", "reproducible", "symbols"):
        status, said = engine("check", name, made, "--source", dsc, "--output", tmp_path / name, "--exit-code")
        told[name] = json.loads((tmp_path / name / "result.json").read_text())
        assert status == (name != "symbols"), said
    assert told["install"]["summary"] == "install: /var/lib/leaving is left after purging"
    assert told["reproducible"]["summary"].startswith("1 of 1 packages differ, built again in another environment")
    report = (tmp_path / "reproducible/leaving_1.0_all.deb.diffoscope.txt").read_text()
    assert "-built by builder" in report or "+built by second-builder" in report
    assert told["symbols"]["summary"] == "There is no version before to compare with."
