"""Backends without root: command lines, sections of the log, what is refused, and builds for another architecture."""

from __future__ import annotations

import argparse
import io
import re
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from chroots.engine.archives.dsc import Dsc, control_fields, parse_dsc
from chroots.engine.backends import native, pbuilder, sbuild
from chroots.engine.backends.sections import LINE_LIMIT, Mark, Sections
from chroots.engine.backends.table import BACKENDS
from chroots.engine.backends.tool import early_failure
from chroots.engine.building.backend import Job, Made, check_backend
from chroots.engine.building.build import build_command, environment
from chroots.engine.commands.building import build_spec
from chroots.engine.commands.main import parser
from chroots.engine.doctor import backend_check
from chroots.engine.isolation.machine import is_emulated, own_architecture
from chroots.engine.journal import Journal
from chroots.engine.layers import shared
from chroots.engine.layers.base import Layer, bootstrap_command
from chroots.engine.layers.buildroot import Warden
from chroots.engine.layers.dependencies import apt_command
from chroots.engine.layers.depwait import relations
from chroots.engine.spec import BACKENDS as NAMES
from chroots.engine.spec import BuildSpec, BuildType, ChrootSpec, Limits, Repository, crossing
from debatomic.tools.errors import CommandFailed, InfrastructureError, InputError, Kind
from debatomic.tools.limits import Group
from debatomic.tools.progress import Progress

MakeSource = Callable[..., Path]
CHROOT = ChrootSpec(name="t", suite="trixie", architecture="amd64", mirror="http://m.example.org/debian")
SPEC = BuildSpec(source="tiny.dsc", chroot=CHROOT, output=Path("/out"), limits=Limits(parallel=3))
OTHERS = [name for name in BACKENDS if name != "native"]


@pytest.fixture
def dsc(source_package: MakeSource) -> Dsc:
    return parse_dsc(source_package("tiny-test"))


def test_every_backend_that_a_definition_may_name_is_there() -> None:
    assert tuple(BACKENDS) == NAMES and CHROOT.backend == "native"


@pytest.mark.parametrize(
    "build_type, ours, theirs",
    [(BuildType.ANY, {"--arch-any", "--no-arch-all"}, ["--binary-arch", "-B"]),
     (BuildType.ALL, {"--no-arch-any", "--arch-all"}, ["--binary-indep", "-A"]),
     (BuildType.BINARY, {"--arch-any", "--arch-all"}, ["-b"])],
)  # fmt: skip
def test_types_of_builds(build_type: BuildType, ours: set[str], theirs: list[str], dsc: Dsc) -> None:
    spec = replace(SPEC, build_type=build_type, profiles=("nodoc", "pkg.x.y"))
    command = sbuild.sbuild_command(spec, dsc)
    assert {part for part in command if "arch-" in part} == ours
    assert "--profiles=nodoc,pkg.x.y" in command and command[-1] == "/mnt/source/tiny-test_1.0.dsc"
    command = pbuilder.pbuilder_command(spec, dsc)
    assert [part for part in command if part in ("--binary-arch", "--binary-indep", "-A", "-B", "-b")] == theirs


def test_pbuilder_reads_its_configuration_as_it_is_meant(dsc: Dsc) -> None:
    text = pbuilder.told(replace(SPEC, nocheck=True, profiles=("a", "b")), dsc)
    asked = 'echo "$DEB_BUILD_OPTIONS|$DEB_BUILD_PROFILES|$BUILDDIR|$BUILDSUBDIR|$USENETWORK|${#APTGETOPT[@]}"'
    done = subprocess.run(["bash", "-euc", f"{text}\n{asked}"], capture_output=True, text=True, check=True)
    assert done.stdout == "parallel=3 nocheck|a b|/build/reproducible-path|tiny-test-1.0|no|7\n"


def test_sbuild_reads_its_configuration_as_it_is_meant(dsc: Dsc) -> None:
    text = sbuild.configuration(replace(SPEC, nocheck=True))
    asked = 'print join "|", $chroot_mode, $build_path, $build_environment->{DEB_BUILD_OPTIONS}, $apt_update, $nolog;'
    done = subprocess.run(["perl", "-e", f"{text}{asked}"], capture_output=True, text=True, check=True)
    assert done.stdout == "unshare|/build/reproducible-path|parallel=3 nocheck|0|1"


def test_pbuilder_may_only_read_the_host(tmp_path: Path) -> None:
    group = Group(folders=(), version=1, processes=9, memory=1 << 30)
    keeper = Warden(folder=tmp_path, user_namespace=7, devices=None, group=group, limits=Limits(), started_at=0.0,
                    log=lambda chunk: None)  # fmt: skip
    command = pbuilder.host_read_only(Path("/tree"), keeper, 8, [("/run/source", Path("/here"), "--ro-bind")])
    binds = [command[number : number + 3] for number, part in enumerate(command) if part == "--bind"]
    assert binds == [["--bind", "/tree", "/run/root"]]
    first = command.index("--ro-bind")
    assert command[first : first + 3] == ["--ro-bind", "/", "/"]
    assert command[command.index("--userns") + 1] == "7" and command[command.index("--seccomp") + 1] == "8"
    hidden = {command[number + 1] for number, part in enumerate(command) if part == "--tmpfs"}
    assert {"/home", "/root", "/tmp", "/run", "/dev/shm", "/run/root/dev/shm"} == hidden
    assert "/run/root/proc/sys" in command


SAID = b"""starting
Unpack
unpacking
Build it
compiling
Unpack
done"""
MARKS = [Mark(line=re.compile(rb"^"), phase="install"), Mark(line=re.compile(rb"^Unpack$"), phase="unpack"),
         Mark(line=re.compile(rb"^Build it$"), phase="build", detail="make")]  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_what_a_tool_says_comes_in_sections(size: int) -> None:
    file = io.BytesIO()
    progress = Progress(3, emit=lambda line: None)
    journal = Journal(file, ("install", "unpack", "build"), echo=lambda chunk: None, progress=progress, limit=1 << 20)
    sections = Sections(journal, MARKS[1:], re.compile(rb"^compiling"))
    sections.begin(MARKS[0])
    for start in range(0, len(SAID), size):
        sections(SAID[start : start + size])
    sections.close()
    text = re.sub(r"[\d.]+ s", "0 s", file.getvalue().decode())
    assert text == (
        "== PHASE install\nstarting\n== PHASE install: 0 s\n== PHASE unpack\nUnpack\nunpacking\n== PHASE unpack: 0 s\n"
        "== PHASE build (make)\nBuild it\nUnpack\ndone== PHASE build: 0 s\n"
    )
    assert [name for name, _ in journal.seconds] == ["install", "unpack", "build"] and sections.phase == "build"


def test_a_line_without_end_is_passed_on() -> None:
    file = io.BytesIO()
    journal = Journal(file, ("install",), echo=lambda chunk: None, progress=Progress(1, emit=lambda line: None),
                      limit=1 << 30)  # fmt: skip
    sections = Sections(journal, [], re.compile(rb"(?!)"))
    for _ in range(3):
        sections(b"x" * LINE_LIMIT)
    assert len(file.getvalue()) >= 2 * LINE_LIMIT


SECRET = Repository(name="house", uris=("https://deb.example.org",), suites=("trixie",), secret=Path("/secret"))


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize(
    "spec, words",
    [
        (crossing(SPEC, "arm64"), "does not cross-build"),
        (replace(SPEC, build_type=BuildType.SOURCE), "binary packages only"),
        (replace(SPEC, chroot=replace(CHROOT, repositories=(SECRET,))), "secret of the repository house"),
        (replace(SPEC, chroot=replace(CHROOT, mirror="file:///srv/debian")), "folder of this host"),
    ],
)
def test_what_a_backend_cannot_do_is_refused(name: str, spec: BuildSpec, words: str) -> None:
    assert words in BACKENDS[name].refusal(spec) and not BACKENDS["native"].refusal(spec)
    with pytest.raises(InputError, match=words) as caught:
        check_backend(BACKENDS[name], spec)
    assert caught.value.hint == "The backend native can."


def test_sbuild_builds_for_this_host_only() -> None:
    foreign = replace(SPEC, chroot=replace(CHROOT, architecture="s390x"))
    assert "not for s390x" in BACKENDS["sbuild"].refusal(foreign)
    own = replace(SPEC, chroot=replace(CHROOT, architecture=own_architecture()))
    assert not BACKENDS["sbuild"].refusal(own)


@dataclass(frozen=True)
class Absent:
    """A backend whose tools no host has."""

    name: str = "absent"
    programs: tuple[str, ...] = ("debatomic-no-such-tool", "newuidmap-of-nobody")

    def refusal(self, spec: BuildSpec) -> str:
        return ""

    def built(self, job: Job, dsc: Dsc, base: Layer, keeper: Warden) -> AbstractContextManager[Made]:
        raise AssertionError("it is not there")


def test_a_backend_that_is_not_installed_is_one_sentence_and_a_line_of_the_doctor() -> None:
    with pytest.raises(InfrastructureError, match="absent needs debatomic-no-such-tool") as caught:
        check_backend(Absent(), SPEC)
    assert caught.value.hint == "Install it: apt install debatomic-no-such-tool newuidmap-of-nobody"
    check = backend_check(Absent())
    assert (check.ok, check.needed, check.mend) == (False, False, caught.value.hint.removeprefix("Install it: "))
    assert backend_check(BACKENDS["native"]).ok


@pytest.mark.parametrize(
    "phase, tail, kind, words",
    [
        ("install", "E: Failed to fetch http://m/x.deb  404  Not Found\n", Kind.INFRASTRUCTURE, "404"),
        ("install", "Err:1 Could not resolve 'm'\n", Kind.INFRASTRUCTURE, "cannot be reached"),
        ("install", "E: Error creating chroot session: skipping x\n", Kind.INFRASTRUCTURE, "could not be set up"),
        (
            "install",
            "Error reading configuration: BUILD_DIR directory '/x' does not exist at Conf.pm line 89.\n",
            Kind.INFRASTRUCTURE,
            "BUILD_DIR directory '/x' does not exist",
        ),
        ("install", "E: Unable to correct problems\n", Kind.DEP_WAIT, "tiny-test waits for missing-dev (>= 3)"),
        ("unpack", "tar: x: broken\n", Kind.INPUT, "cannot be unpacked"),
    ],
)
def test_failures_before_the_build(
    phase: str, tail: str, kind: Kind, words: str, source_package: MakeSource, tmp_path: Path
) -> None:
    dsc = parse_dsc(source_package("tiny-test", depends="missing-dev (>= 3)"))
    base = Layer(identity="b" * 64, tree=tmp_path)
    error = early_failure(phase, CommandFailed(["sbuild"], 1, tail=tail), SPEC, dsc, base)
    assert error and error.kind == kind and words in str(error)
    assert early_failure("build", CommandFailed(["sbuild"], 1, tail=tail), SPEC, dsc, base) is None


def test_crossing_needs_the_packages_of_the_other_architecture() -> None:
    spec = crossing(replace(SPEC, profiles=("nodoc",)), "arm64")
    assert (spec.host, spec.host_architecture, spec.chroot.architecture) == ("arm64", "arm64", "amd64")
    assert spec.profiles == ("nodoc", "cross", "nocheck") and spec.nocheck
    assert spec.chroot.foreign_architectures == ("arm64",) and spec.chroot.key != CHROOT.key
    assert crossing(SPEC, "amd64") == SPEC and SPEC.host_architecture == "amd64"
    assert "--architectures=amd64,arm64" in bootstrap_command(spec.chroot, "http://m.example.org", Path("/tree"))


def test_the_commands_of_a_crossing(dsc: Dsc) -> None:
    spec = crossing(SPEC, "arm64")
    assert build_command(spec)[-2:] == ["--host-arch=arm64", "--build-profiles=cross,nocheck"]
    assert environment(spec)["CONFIG_SITE"] == "/etc/dpkg-cross/cross-config.arm64"
    assert environment(spec)["DEB_BUILD_OPTIONS"] == "parallel=3 nocheck"
    assert {"--host-architecture=arm64", "--build-profiles=cross,nocheck"} <= set(apt_command(spec, dsc))
    assert "CONFIG_SITE" not in environment(SPEC) and not any("host" in part for part in apt_command(SPEC, dsc))


def test_every_crossing_needs_a_compiler(dsc: Dsc, tmp_path: Path, source_package: MakeSource) -> None:
    needing = native.with_toolchain(dsc, "arm64", tmp_path / "one")
    assert build_depends(needing) == "crossbuild-essential-arm64:native, libc-dev, libstdc++-dev"
    other = parse_dsc(source_package("other-test", depends="bc, dc"))
    assert build_depends(native.with_toolchain(other, "arm64", tmp_path / "two")).startswith("bc, dc, crossbuild-")
    names = [each["name"] for [each] in relations(needing, crossing(SPEC, "arm64"))]
    assert names == ["crossbuild-essential-arm64", "libc-dev", "libstdc++-dev"]


def build_depends(dsc: Dsc) -> str:
    """The build dependencies as they stand in the file."""
    assert control_fields(dsc.path)["Build-Depends"] == dsc.build_fields["Build-Depends"]
    return dsc.build_fields["Build-Depends"]


def test_a_crossing_has_layers_and_dependencies_of_its_own(source_package: MakeSource) -> None:
    dsc = parse_dsc(source_package("tiny-test", depends="a [arm64], b [amd64], c <!cross>, d <cross>"))
    base = Layer(identity="b" * 64, tree=Path("/tree"))
    arm64 = crossing(SPEC, "arm64")
    assert shared.quick_key(base, dsc, SPEC) != shared.quick_key(base, dsc, arm64)
    assert [each["name"] for [each] in relations(dsc, arm64)] == ["a", "d"]
    assert [each["name"] for [each] in relations(dsc, SPEC)] == ["b", "c"]


@pytest.mark.parametrize(
    "architecture, machine, emulated",
    [("amd64", "x86_64", False), ("i386", "x86_64", False), ("arm64", "x86_64", True), ("arm64", "aarch64", False),
     ("amd64", "aarch64", True), ("loong64", "loong64", False)],
)  # fmt: skip
def test_which_programs_are_emulated(architecture: str, machine: str, emulated: bool) -> None:
    assert is_emulated(architecture, machine) == emulated


def test_a_past_archive_makes_a_base_of_its_own() -> None:
    past = replace(CHROOT, check_valid_until=False)
    lasting = '--aptopt=Acquire::Check-Valid-Until "false"'
    assert past.key != CHROOT.key
    assert lasting in bootstrap_command(past, "http://m.example.org", Path("/tree"))
    assert lasting not in bootstrap_command(CHROOT, "http://m.example.org", Path("/tree"))


def test_a_backend_shares_the_base_of_its_chroot() -> None:
    assert replace(CHROOT, backend="sbuild").key == CHROOT.key


def options(*more: str) -> argparse.Namespace:
    return parser().parse_args(["build", "figlet", "--chroot", "trixie-amd64", "--output", "/out", *more])


def test_options_name_backend_and_host() -> None:
    spec = build_spec(options("--backend", "pbuilder"))
    assert (spec.chroot.backend, spec.host) == ("pbuilder", "")
    spec = build_spec(options("--host", "arm64"))
    assert (spec.chroot.backend, spec.host, spec.chroot.foreign_architectures) == ("native", "arm64", ("arm64",))


@pytest.mark.parametrize("wrong", [("--host", "all"), ("--host", "ARM"), ("--backend", "mock")])
def test_what_is_no_backend_and_no_architecture(wrong: tuple[str, str]) -> None:
    with pytest.raises(SystemExit):
        options(*wrong)
