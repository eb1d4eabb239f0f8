"""Why builds fail: read from the logs of real broken packages (`broken.py` makes them), and from lines of others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chroots.engine.archives.dsc import parse_dsc
from chroots.engine.building.failure import AT_MOST, BuildFailed, Cause, cause_of, diagnose, diagnose_unpacking
from chroots.engine.layers.dependencies import unsatisfiable
from chroots.engine.layers.depwait import conflict, missing, unmet_dependencies
from chroots.engine.spec import BuildSpec, BuildType, ChrootSpec
from debatomic.tools.errors import InfrastructureError, Kind, TimedOut, ToolError

LOGS = Path(__file__).parent / "logs"
MakeSource = Callable[..., Path]


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("configure", "x cannot be configured: configure: error: Package requirements (libfoo >= 3) were not met"),
        ("cmake", "x cannot be configured: CMake Error at CMakeLists.txt:3 (find_package): Could not find a package "
                  'configuration file provided by "Nonsense" with any'),
        ("meson", "x cannot be configured: ../meson.build:2:0: ERROR: Dependency lookup for nonsense with method "),
        ("compile", "x does not compile: main.c:3:16: error: ‘x’ undeclared"),
        ("bc", "x does not compile: dc.c:64:9: error: implicit declaration of function ‘checkferror_output’"),
        ("header", "x does not compile: main.c:1:10: fatal error: nonsense.h: No such file or directory"),
        ("link", "x does not compile: main.c:(.text+0x5): undefined reference to `other'"),
        ("library", "x does not compile: /usr/bin/ld: cannot find -lnonsense"),
        ("test", "The tests of x fail: FAIL: b"),
        ("pytest", "The tests of x fail: FAILED tests/test_broken.py::test_add - assert 4 == 5"),
        ("install", 'The packages of x cannot be put together: dh_install: warning: Cannot find (any matches for)'),
        ("missing", "The packages of x cannot be put together: dh_missing: warning: usr/x exists in debian/tmp but is"),
        ("rules", "The packages of x cannot be put together: cp: cannot stat 'nonsense': No such file or directory"),
    ],
)  # fmt: skip
def test_the_log_of_a_broken_package_says_why(name: str, sentence: str) -> None:
    log = (LOGS / f"{name}.txt").read_text()
    found = diagnose(log)
    assert found.sentence("x").startswith(sentence)
    assert found.cause in sentence_cause(sentence)
    assert 0 < len(found.lines) <= AT_MOST and set(found.lines) <= {line.rstrip()[:400] for line in log.splitlines()}
    assert not any("only shown by make" in line for line in found.lines)


def sentence_cause(sentence: str) -> set[Cause]:
    words = {"configured": Cause.CONFIGURE, "compile": Cause.COMPILE, "tests": Cause.TEST, "together": Cause.INSTALL}
    return {cause for word, cause in words.items() if word in sentence.partition(":")[0]}


@pytest.mark.parametrize(
    "name, cause, sentence",
    [
        ("unpack", Cause.UNPACK, "The source package x cannot be unpacked: broken-unpack_1.0.orig.tar.xz: unxz: "),
        ("patch", Cause.PATCH, "A patch of x does not apply: first.patch: Hunk #1 FAILED at 1 of main.c"),
    ],
)
def test_what_cannot_be_unpacked(name: str, cause: Cause, sentence: str) -> None:
    found = diagnose_unpacking((LOGS / f"{name}.txt").read_text())
    assert found.cause == cause and found.sentence("x").startswith(sentence)
    assert any(part in found.lines[-1] for part in ("Hunk #1 FAILED", "subprocess returned exit status"))


DH = "   dh_auto_configure\n   dh_auto_build\n"
ENDED = "dpkg-buildpackage: error: debian/rules binary subprocess returned exit status 2\n"
DUMPED = """   dh_auto_configure
checking for x
\tcd build && tail -v -n \\+0 config.log
==> config.log <==
conftest.c:9:10: fatal error: nothing.h: No such file or directory
configure: failed program was:
dh_auto_configure: error: cd build && ../configure returned exit code 1
make: *** [debian/rules:3: binary] Error 25
"""


@pytest.mark.parametrize(
    "log, cause, line",
    [
        (DUMPED, Cause.CONFIGURE, "dh_auto_configure: error: cd build && ../configure returned exit code 1"),
        (DH + "echo 'a.c:1:2: error: no'; exit 1\na.c:1:2: error: no\n", Cause.COMPILE, "a.c:1:2: error: no"),
        (DH + "echo \"a.c:1:2: error: no\" && false\nld: b.o: undefined reference to `f'\n", Cause.COMPILE,
         "ld: b.o: undefined reference to `f'"),
        (DH + "error[E0425]: cannot find value `x` in this scope\n", Cause.COMPILE,
         "error[E0425]: cannot find value `x` in this scope"),
        (DH + "./main.go:5:2: undefined: x\n", Cause.COMPILE, "./main.go:5:2: undefined: x"),
        (DH + "Main.java:3: error: ';' expected\n", Cause.COMPILE, "Main.java:3: error: ';' expected"),
        (DH + "/bin/sh: 1: help2man: not found\n", Cause.COMPILE, "/bin/sh: 1: help2man: not found"),
        (DH + "make[1]: *** No rule to make target 'x.c', needed by 'x.o'.  Stop.\n", Cause.COMPILE,
         "make[1]: *** No rule to make target 'x.c', needed by 'x.o'.  Stop."),
        (DH + "configure: error: no C compiler\n", Cause.CONFIGURE, "configure: error: no C compiler"),
        (DH + "   dh_auto_test\ntests/a.c:1:2: error: no\n", Cause.COMPILE, "tests/a.c:1:2: error: no"),
        (DH + "   dh_auto_test\na.c:1:2: error: wanted\nnot ok 3 - b\n", Cause.TEST, "not ok 3 - b"),
        (DH + "   dh_auto_test\n 3/40 unit / b   FAIL   0.02s\n", Cause.TEST, " 3/40 unit / b   FAIL   0.02s"),
        (DH + "   dh_auto_test\n\t  7 - broken (Failed)\n", Cause.TEST, "\t  7 - broken (Failed)"),
        (DH + "   dh_auto_test\n--- FAIL: TestX (0.00s)\n", Cause.TEST, "--- FAIL: TestX (0.00s)"),
        (DH + "   dh_auto_test\ntest a::b ... FAILED\n", Cause.TEST, "test a::b ... FAILED"),
        (DH + "   dh_auto_test\nFailed 1/3 test programs. 1/9 subtests failed.\n", Cause.TEST,
         "Failed 1/3 test programs. 1/9 subtests failed."),
        (DH + "   dh_auto_test\ndh_auto_test: error: make check returned exit code 2\n", Cause.TEST,
         "dh_auto_test: error: make check returned exit code 2"),
        ("a.c:1:2: error: gone\n   dh_auto_build\n   dh_shlibdeps\ndpkg-shlibdeps: error: no dependency information\n",
         Cause.INSTALL, "dpkg-shlibdeps: error: no dependency information"),
        ("   debian/rules override_dh_auto_test\nFAIL: one\n", Cause.TEST, "FAIL: one"),
        ("gcc x.c\nx.c:1:2: error: no dh here\n", Cause.COMPILE, "x.c:1:2: error: no dh here"),
        ("make: *** [debian/rules:5: b] Error 3\n" + ENDED, Cause.BUILD, "make: *** [debian/rules:5: b] Error 3"),
        ("Setting up x\nE: of installing\n== PHASE build (dpkg)\nfirst\nlast\n", Cause.BUILD, "last"),
        ("", Cause.BUILD, ""),
    ],
)  # fmt: skip
def test_the_telling_line(log: str, cause: Cause, line: str) -> None:
    found = diagnose(log)
    assert (found.cause, found.line) == (cause, line)
    assert found.sentence("x 1").endswith(line.strip() or "x 1 failed to build.")


def test_the_place_of_an_error_is_shown() -> None:
    found = diagnose(DH + "a.c:3:16: error: no\n    3 |  return x;\n      |   ^\nmake: *** [x] Error 1\n" * 9)
    assert found.lines == ("a.c:3:16: error: no", "    3 |  return x;", "      |   ^", "make: *** [x] Error 1")


@pytest.mark.parametrize(
    "error, phase, cause",
    [
        (BuildFailed("x", cause=Cause.PATCH), "unpack", Cause.PATCH),
        (TimedOut("x"), "build", Cause.TIMEOUT),
        (TimedOut("x", kind=Kind.SILENCE), "install", Cause.SILENCE),
        (InfrastructureError("x"), "fetch", Cause.INFRASTRUCTURE),
        (ToolError("x", kind=Kind.DISK), "collect", Cause.DISK),
        (ToolError("x", kind=Kind.INPUT), "source", Cause.SOURCE),
        (ToolError("x", kind=Kind.INPUT), "base", Cause.CHROOT),
        (ToolError("x", kind=Kind.INPUT), "", Cause.CHROOT),
        (ToolError("x"), "resolve", Cause.DEP_WAIT),
        (ToolError("x"), "collect", Cause.INSTALL),
        (ToolError("x"), "lintian", Cause.LINTIAN),
        (ValueError("x"), "build", Cause.INTERNAL),
    ],
)
def test_other_failures_have_a_cause_too(error: Exception, phase: str, cause: Cause) -> None:
    assert cause_of(error, phase) == cause


PACKAGES = """Package: figlet
Version: 2.2.5-3+b2
Provides: banner

Package: libfoo-dev
Version: 1:2.0-1
Provides: libfoo-abi (= 2), libfoo-any:any

"""


def waiting(tmp_path: Path, source_package: MakeSource, depends: str, **options: object) -> list[str]:
    lists = tmp_path / "base/var/lib/apt/lists"
    lists.mkdir(parents=True)
    (lists / "m_dists_trixie_main_binary-amd64_Packages").write_text(PACKAGES)
    chroot = ChrootSpec(name="trixie-amd64", suite="trixie", architecture="amd64")
    build = BuildSpec(source="x", chroot=chroot, output=tmp_path, **options)  # type: ignore[arg-type]
    return missing(parse_dsc(source_package("waiting-test", depends=depends)), build, lists)


@pytest.mark.parametrize(
    "depends, told",
    [
        ("figlet, banner, libfoo-dev (>= 2), libfoo-abi (= 2), libfoo-any", []),
        ("figlet (>= 99)", ["figlet (>= 99): trixie-amd64 has 2.2.5-3+b2"]),
        ("libfoo-dev (<< 1:2), figlet", ["libfoo-dev (<< 1:2): trixie-amd64 has 1:2.0-1"]),
        ("nonsense (>= 3), none", ["nonsense (>= 3): trixie-amd64 has no such package",
                                   "none: trixie-amd64 has no such package"]),
        ("banner (>= 1)", ["banner (>= 1): trixie-amd64 has no such package"]),
        ("nonsense | figlet", []),
        ("nonsense | figlet (>> 3)", ["nonsense | figlet (>> 3): trixie-amd64 has figlet 2.2.5-3+b2"]),
        ("nonsense [arm64], none [!amd64], absent <cross>, wanted <!nodoc>, also [linux-any]",
         ["wanted: trixie-amd64 has no such package", "also: trixie-amd64 has no such package"]),
    ],
)  # fmt: skip
def test_what_a_build_waits_for(tmp_path: Path, source_package: MakeSource, depends: str, told: list[str]) -> None:
    assert waiting(tmp_path, source_package, depends) == told


def test_profiles_and_kinds_of_builds_count(tmp_path: Path, source_package: MakeSource) -> None:
    options = {"profiles": ("nodoc",), "build_type": BuildType.ALL}
    assert waiting(tmp_path, source_package, "wanted <!nodoc>, other <nodoc>", **options) == [
        "other: trixie-amd64 has no such package"
    ]


def test_a_dependency_that_is_missing_is_the_sentence(source_package: MakeSource) -> None:
    dsc = parse_dsc(source_package("waiting-test"))
    error = unsatisfiable(dsc, "", ["a (>= 2): trixie-amd64 has 1", "b: trixie-amd64 has no such package"])
    assert error.kind == Kind.DEP_WAIT and error.sentence.startswith(
        "waiting-test waits for a (>= 2): trixie-amd64 has 1 (and 1 more). Build or add")  # fmt: skip
    assert len(error.lines) == 2


@pytest.mark.parametrize("name, told", [
    ("absent", ["libnonsense-dev but it is not installable"]),
    ("version", ["figlet (>= 99) but it is not going to be installed"]),
])  # fmt: skip
def test_what_apt_says_is_understood(name: str, told: list[str]) -> None:
    assert unmet_dependencies((LOGS / f"{name}.txt").read_text()) == told


def test_why_dependencies_do_not_go_together(source_package: MakeSource) -> None:
    said = (LOGS / "conflict.txt").read_text()
    found = conflict(said)
    assert found[0] == "postfix:amd64 Conflicts mail-transport-agent" and len(found) > 5
    error = unsatisfiable(parse_dsc(source_package("waiting-test")), said)
    assert error.kind == Kind.DEP_WAIT and "cannot be installed together: postfix:amd64 Conflicts" in str(error)
    assert conflict("E: Unable to correct problems, you have held broken packages.\n") == []
