"""The engine's parts that need no root: command lines, layers, results, failures, what a sweep finds."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chroots.engine.archives.dsc import parse_dsc
from chroots.engine.building.build import build_command, environment
from chroots.engine.building.collect import ResultFile, collect
from chroots.engine.building.failure import decisive_lines
from chroots.engine.isolation.jail import INSTALL_CAPABILITIES, Jail, jailed
from chroots.engine.isolation.screen import Screen
from chroots.engine.isolation.userns import identity_map
from chroots.engine.journal import Journal
from chroots.engine.layers.base import bootstrap_command, bootstrap_failure
from chroots.engine.layers.dependencies import apt_command, parse_uris, unsatisfiable
from chroots.engine.layers.depwait import unmet_dependencies
from chroots.engine.layers.overlay import file_system, overlay_options, require_space
from chroots.engine.layers.sweep import mounts_below, sweep
from chroots.engine.spec import BuildSpec, BuildType, ChrootSpec, Limits
from chroots.engine.state import LEFTOVERS, State, remember, temporary
from debatomic.tools.errors import InfrastructureError, InputError, Kind, ToolError
from debatomic.tools.limits import limited, own_groups
from debatomic.tools.progress import Progress

MakeSource = Callable[..., Path]
TRIXIE = ChrootSpec(name="t", suite="trixie", architecture="amd64", packages=("fakeroot",))


def spec(**options: Any) -> BuildSpec:
    return BuildSpec(**{"source": "figlet", "chroot": TRIXIE, "output": Path("/out"), **options})


def pairs(command: list[str], option: str) -> list[str]:
    return [command[number + 1] for number, part in enumerate(command) if part == option]


def test_a_build_is_jailed_without_any_capability() -> None:
    command = jailed(Jail(root=Path("/root"), user_namespace=7, filter=8, user=1234, folder="/build"), ["make", "x"])
    assert command[-2:] == ["make", "x"]
    for option in ("--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
                   "--die-with-parent", "--new-session",
                   "--clearenv", "--no-new-privs", "--bounding-set=-all"):  # fmt: skip
        assert option in command
    assert pairs(command, "--userns") == ["7"] and pairs(command, "--chdir") == ["/build"]
    assert pairs(command, "--cap-drop") == ["ALL"]
    assert pairs(command, "--cap-add") == ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"]
    assert command.index("--reuid=1234") > command.index("prlimit")


def test_installing_keeps_only_what_dpkg_needs() -> None:
    command = jailed(Jail(root=Path("/root"), user_namespace=7, filter=8), ["apt-get"])
    assert pairs(command, "--cap-add") == [f"CAP_{name}" for name in INSTALL_CAPABILITIES]
    assert "SYS_ADMIN" not in INSTALL_CAPABILITIES and "--no-new-privs" not in command


def test_the_jail_itself_knows_nothing_of_ours() -> None:
    command = jailed(Jail(root=Path("/root"), user_namespace=7, filter=8), ["true"])
    assert command[:2] == ["env", "--ignore-environment"] and command[2].startswith("PATH=/usr/")
    hidden = [command[number + 1] for number, part in enumerate(command) if part == "/dev/null"]
    assert "/proc/timer_list" in hidden and all(Path(path).exists() for path in hidden)


def test_what_rules_the_kernel_is_read_only() -> None:
    command = jailed(Jail(root=Path("/root"), user_namespace=7, filter=8), ["true"])
    assert {"/proc/sys", "/proc/sysrq-trigger"} <= set(pairs(command, "--ro-bind-try"))
    assert command.index("--proc") < command.index("--ro-bind-try")


def test_command_lines() -> None:
    lowers = [Path("/layer"), Path("/base")]
    assert overlay_options(lowers, Path("/up")) == (
        "lowerdir=/layer:/base,upperdir=/up/changes,workdir=/up/scratch,volatile"
    )
    command = bootstrap_command(TRIXIE, "http://m.example.org/debian", Path("/tree"))
    assert command[0] == "mmdebstrap" and command[-3:] == ["trixie", "/tree", "http://m.example.org/debian"]
    assert {"--variant=buildd", "--architectures=amd64", "--include=fakeroot", "--components=main"} <= set(command)


@pytest.mark.parametrize(
    "build_type, option, scope",
    [(BuildType.ANY, "-B", ["--arch-only"]), (BuildType.ALL, "-A", ["--indep-only"]), (BuildType.BINARY, "-b", []),
     (BuildType.SOURCE, "-S", [])],
)  # fmt: skip
def test_build_types(build_type: BuildType, option: str, scope: list[str], source_package: MakeSource) -> None:
    build = spec(build_type=build_type, profiles=("nodoc",), nocheck=True, limits=Limits(parallel=3))
    assert build_command(build) == ["dpkg-buildpackage", "-us", "-uc", "-rfakeroot", option, "--build-profiles=nodoc"]
    assert environment(build)["DEB_BUILD_OPTIONS"] == "parallel=3 nocheck"
    command = apt_command(build, parse_dsc(source_package("tiny-test")), "--no-download")
    assert [part for part in command if part.endswith("-only")] == scope
    assert "--build-profiles=nodoc" in command and command[-1] == "/run/source/tiny-test_1.0.dsc"


def test_what_apt_would_fetch_is_taken_with_its_digest() -> None:
    digest = "a" * 64
    [deb] = parse_uris(f"Note\n'http://m/p/x_1%253a2_all.deb' x_1%3a2_all.deb 42 SHA256:{digest}\n")
    assert (deb.name, deb.size, deb.sha256) == ("x_1%3a2_all.deb", 42, digest)
    with pytest.raises(InfrastructureError, match="without its SHA-256"):
        parse_uris("'http://m/p/x.deb' x.deb 42 MD5Sum:00\n")


UNMET = """Reading package lists...
The following packages have unmet dependencies:
 builddeps:/run/source/x_1.dsc : Depends: libfoo-dev (>= 3) but it is not installable
                                 Depends: bar
E: Unable to correct problems, you have held broken packages.
"""


def test_unmet_build_dependencies_are_named(source_package: MakeSource) -> None:
    assert unmet_dependencies(UNMET) == ["libfoo-dev (>= 3) but it is not installable", "bar"]
    error = unsatisfiable(parse_dsc(source_package("tiny-test")), UNMET)
    assert error.kind == Kind.DEP_WAIT and "libfoo-dev (>= 3) but it is not installable" in str(error)


@pytest.mark.parametrize(
    "output, kind, words",
    [
        ("E: Failed to fetch x\nE: something odd.\n", Kind.BUILD, "Failed to fetch x"),
        ("dpkg: error: x: No space left on device\n", Kind.DISK, "no space left on this host"),
        ("", Kind.BUILD, "without saying why"),
    ],
)
def test_other_troubles_with_build_dependencies(
    source_package: MakeSource, output: str, kind: Kind, words: str
) -> None:
    error = unsatisfiable(parse_dsc(source_package("tiny-test")), output)
    assert error.kind == kind and words in str(error)


@pytest.mark.parametrize(
    "output, kind",
    [
        ("E: setup failed: No space left on device\n", Kind.DISK),
        ("W: x\nE: Could not resolve 'm.example.org'\n", Kind.INFRASTRUCTURE),
        ("E: Unable to locate package nonsense\n", Kind.INPUT),
    ],
)
def test_why_a_base_could_not_be_made(output: str, kind: Kind) -> None:
    error = bootstrap_failure(TRIXIE, output)
    assert error.kind == kind and str(error).startswith("The base of t could not be made: ")


@pytest.mark.parametrize(
    "log, lines",
    [
        ("gcc -c x.c\nx.c:1:2: error: 'x' undeclared\nmake: *** [Makefile:3: x.o] Error 1\ndpkg-buildpackage: error: r",
         ["x.c:1:2: error: 'x' undeclared", "make: *** [Makefile:3: x.o] Error 1", "dpkg-buildpackage: error: r"]),
        ("ok\nE: nothing\n", ["E: nothing"]),
        ("one\n== PHASE build: 1 s\ntwo\n", ["one", "two"]),
        ("-Werror=format-security fine\nwarning: an error\n", ["-Werror=format-security fine", "warning: an error"]),
        ("", []),
    ],
)  # fmt: skip
def test_decisive_lines(log: str, lines: list[str]) -> None:
    assert decisive_lines(log) == lines


def test_there_are_never_too_many_decisive_lines() -> None:
    log = "\n".join(
        f"x.c:{n}: error: {n}\nmake: *** [x{n}] Error\nE: {n}\nFAIL: {n}\nundefined reference to {n}" for n in range(99)
    )
    assert len(decisive_lines(log)) == 12


def test_the_journal_marks_and_times_phases() -> None:
    file = io.BytesIO()
    echoed: list[bytes] = []
    reports: list[str] = []
    journal = Journal(file, ("source", "build"), echo=echoed.append, progress=Progress(2, emit=reports.append),
                      limit=1 << 20)  # fmt: skip
    with journal.phase("build", "make"):
        journal(b"line\n")
        journal.report(0.5)
    text = file.getvalue().decode()
    assert text == b"".join(echoed).decode() == journal.tail()
    assert text.startswith("== PHASE build (make)\nline\n== PHASE build: 0.0") and journal.seconds[0][0] == "build"
    assert [(json.loads(r)["number"], json.loads(r)["fraction"]) for r in reports] == [(2, 0.0), (2, 0.5)]


def test_what_fills_the_disk_is_ended_before_it_is_full(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    require_space(tmp_path, reserve=free // 2)
    with pytest.raises(ToolError, match="The disk of this host is full") as told:
        require_space(tmp_path, reserve=free * 2)
    assert told.value.kind == Kind.DISK


def test_the_journal_keeps_what_fits_and_always_says_why() -> None:
    file = io.BytesIO()
    journal = Journal(file, ("build",), echo=lambda chunk: None, progress=Progress(1, emit=lambda line: None), limit=7)
    journal(b"lines\n")
    for _ in range(2):
        with pytest.raises(ToolError, match="more than its log limit") as told:
            journal(b"more\n")
        assert told.value.kind == Kind.KILLED
    journal.say("failed")
    assert file.getvalue() == b"lines\nmfailed\n"


@pytest.mark.parametrize("chunks, shown", [
    ([b"a\tb\n"], "a\tb\n"),
    ([b"\x1b[2J", b"\x07\r\n"], "␛[2J␇␍\n"),
    (["é".encode()[:1], "é".encode()[1:]], "é"),
    ([b"\x9b5n", b"\xc2", b"\x9b5n"], "\ufffd5n\ufffd5n"),
])  # fmt: skip
def test_a_terminal_gets_nothing_that_steers_it(chunks: list[bytes], shown: str) -> None:
    screen = Screen()
    assert b"".join(screen(chunk) for chunk in chunks).decode() == shown


def test_a_sweep_removes_what_the_dead_left_and_only_that(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    beside = tmp_path / "out/.debatomic-new-1"
    beside.mkdir(parents=True)
    dead = state.work / ".new-dead"
    with temporary(state.work) as alive:
        dead.mkdir()
        (dead / "tree").mkdir()
        (dead / LEFTOVERS).write_text(json.dumps([os.fspath(beside), "/nonexistent/x"]))
        assert sweep(state) == [".new-dead"]
        assert alive.is_dir() and not dead.exists() and not beside.exists()
    assert sweep(state) == [] and not alive.exists()


def test_leftovers_are_noted_whole(tmp_path: Path) -> None:
    remember(tmp_path, [Path("/a"), Path("/b")])
    assert json.loads((tmp_path / LEFTOVERS).read_text()) == ["/a", "/b"]


def test_mounts_are_undone_from_the_deepest() -> None:
    info = "\n".join(
        f"1 1 0:1 / {point} rw - tmpfs x rw" for point in ("/", "/s/w", "/s/w/a", "/s/wide", "/s/w/a\\040b/c")
    )
    assert [str(path) for path in mounts_below(Path("/s/w"), info)] == ["/s/w/a b/c", "/s/w/a", "/s/w"]


def test_ids_mean_themselves() -> None:
    assert identity_map("         0     100000      65536\n     65536  1 1\n") == "0 0 65536\n65536 65536 1\n"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "root/build/place"
    folder.mkdir(parents=True)
    (folder / "a_1_all.deb").write_bytes(b"deb")
    digest = "79b9da57e49d6b4d37a3f4a3d1f3f5cbc0bf3c8e0b6d5d4c" + "0" * 16
    (folder / "a_1_all.changes").write_text(f"Source: a\nChecksums-Sha256:\n {digest} 3 a_1_all.deb\n")
    return folder


def honest(folder: Path) -> None:
    digest = hashlib.sha256(b"deb").hexdigest()
    (folder / "a_1_all.changes").write_text(f"Source: a\nChecksums-Sha256:\n {digest} 3 a_1_all.deb\n")


def taken(folder: Path, limit: int = 1 << 20) -> list[ResultFile]:
    target = folder.parents[2] / "target"
    target.mkdir(exist_ok=True)
    return collect(folder.parents[1], "/build/place", target, size_limit=limit)


def test_results_are_what_changes_lists(built: Path) -> None:
    honest(built)
    (built / "stray.deb").write_text("x")
    assert [(file.name, file.kind, file.size) for file in taken(built)][1:] == [("a_1_all.deb", "deb", 3)]


def test_results_that_are_not_as_listed_are_refused(built: Path) -> None:
    with pytest.raises(InputError, match=r"a_1_all.deb is altered"):
        taken(built)


def swap_link(folder: Path) -> None:
    (folder / "a_1_all.deb").unlink()
    (folder / "a_1_all.deb").symlink_to("/etc/passwd")


def swap_fifo(folder: Path) -> None:
    (folder / "a_1_all.deb").unlink()
    os.mkfifo(folder / "a_1_all.deb")


def swap_folder(folder: Path) -> None:
    folder.rename(folder.parent / "moved")
    folder.symlink_to(folder.parent / "moved")


@pytest.mark.parametrize(
    "trick, sentence",
    [
        (swap_link, "a_1_all.deb is not a regular file"),
        (swap_fifo, "a_1_all.deb is not a regular file"),
        (swap_folder, "replaced its folder /build/place"),
        (lambda folder: (folder / "a_1_all.deb").unlink(), "lists a_1_all.deb in its .changes, but did not make it"),
        (lambda folder: (folder / "a_1_all.changes").unlink(), "made no .changes file"),
    ],
)
def test_results_that_trick_are_refused(built: Path, trick: Callable[[Path], object], sentence: str) -> None:
    honest(built)
    trick(built)
    with pytest.raises(ToolError) as error:
        taken(built)
    assert sentence in str(error.value)


def test_results_have_a_size_limit(built: Path) -> None:
    honest(built)
    with pytest.raises(ToolError, match="larger than its disk limit") as error:
        taken(built, limit=10)
    assert error.value.kind == Kind.DISK


def test_own_groups_of_version_1() -> None:
    assert own_groups("8:pids:/\n4:memory:/a/b\n3:cpu,cpuacct:/c\n0::/\n") == {
        "pids": "/", "memory": "/a/b", "cpu": "/c", "cpuacct": "/c", "": "/",
    }  # fmt: skip


def test_without_control_groups_resource_limits_stand_in(tmp_path: Path) -> None:
    with limited("x", processes=7, memory=1000, cgroups=tmp_path) as group:
        assert (group.version, group.folders) == (0, ())
        assert group.resource_limits() == ["--nproc=7", "--as=1000"]
        assert group.peak_memory() is None and group.memory_kills() == 0
        group.enter()


@pytest.mark.integration
def test_a_group_keeps_no_more_processors_busy_than_it_may() -> None:
    busy = "import os, time; end = time.time() + 1.5\nwhile time.time() < end: pass\nprint(os.times()[0])"
    with limited("debatomic-processors-test", processes=9, memory=1 << 28, processors=0.2) as group:
        if not group.version:
            return  # a host that has none to give
        done = subprocess.run([sys.executable, "-c", busy], preexec_fn=group.enter, stdout=subprocess.PIPE, check=True)
    assert float(done.stdout) < 0.75


def test_the_file_system_of_a_folder() -> None:
    info = """1 0 0:1 / / rw - overlay overlay rw
2 1 0:2 / /var rw shared:1 - ext4 /dev/sda rw
3 2 0:3 / /var rw - tmpfs x rw
4 1 0:4 / /vario rw - xfs x rw"""
    kinds = {"/a": "overlay", "/var/host": "tmpfs", "/var": "tmpfs", "/vario/x": "xfs"}
    assert {path: file_system(Path(path), info) for path in kinds} == kinds
