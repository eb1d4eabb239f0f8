"""The command line without root: what verbs take, say and refuse; what copying, comparing and the doctor understand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from chroots.engine.commands.main import VERBS, main, parser
from chroots.engine.commands.options import told_age, told_size
from chroots.engine.doctor import Check, can_build, control_groups, disk, emulation, namespaces
from chroots.engine.isolation.inside import opened
from chroots.engine.layers import base, expiry, shared
from chroots.engine.layers.installed import installed
from chroots.engine.layers.scrub import Part, scrub
from chroots.engine.layers.sweep import sweep
from chroots.engine.sessions import kept
from chroots.engine.sessions.copy_in import copy_in
from chroots.engine.sessions.copy_out import copy_out, stays_below
from chroots.engine.sessions.difference import difference
from chroots.engine.sessions.packages import changes
from chroots.engine.spec import ChrootSpec
from chroots.engine.state import LOCK, State, locked
from debatomic.tools.errors import InfrastructureError, InputError, ToolError
from debatomic.tools.files import write_json
from tests.chroots.conftest import ROOT

TRIXIE = ChrootSpec(name="trixie-amd64", suite="trixie", architecture="amd64")
Trick = Callable[[Path], object]


def test_every_verb_of_the_issue_is_there() -> None:
    assert {verb.name for verb in VERBS} == {
        "init", "refresh", "list", "info", "shell", "run", "build", "install", "copy-in", "copy-out", "diff", "clean",
        "scrub", "config", "doctor", "sources", "sweep", "compare", "try", "check",
    }  # fmt: skip


@pytest.mark.parametrize(
    "line, name, value",
    [
        ("run trixie-amd64 -- ls -l /", "words", ["ls", "-l", "/"]),
        ("run trixie-amd64 --user builder -- id", "user", "builder"),
        ("run trixie-amd64 -- id --network", "network", False),
        ("shell trixie-amd64 --network", "network", True),
        ("shell trixie-amd64 --keep one --memory 1G", "memory", 1 << 30),
        ("install trixie-amd64 --keep one jq figlet", "packages", ["jq", "figlet"]),
        ("copy-in trixie-amd64 --keep one a b /root", "sources", [Path("a"), Path("b")]),
        ("copy-out trixie-amd64 /etc/passwd x", "place", "/etc/passwd"),
        ("scrub --all --only bases --only layers", "only", [Part.BASES, Part.LAYERS]),
        ("clean trixie-amd64", "all", False),
    ],
)
def test_what_verbs_take(line: str, name: str, value: object) -> None:
    assert getattr(parser().parse_args(line.split()), name) == value


@pytest.mark.parametrize(
    "line",
    ["", "nonsense", "run", "run trixie-amd64", "install trixie-amd64 jq", "diff trixie-amd64", "copy-in x --keep a /b",
     "scrub --all --only nonsense", "run trixie-amd64 --user nobody -- id", "shell x --memory nothing"],
)  # fmt: skip
def test_what_is_no_command_ends_with_status_2(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    assert ended.value.code == 2
    assert "usage: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "line, sentence",
    [
        ("info trixie-amd46", "did you mean trixie-amd64?"),
        ("info trixie-amd64", "has not been made yet. Make it: python -m chroots.engine init trixie-amd64"),
        ("config trixie-amd46", "did you mean trixie-amd64?"),
        ("clean", "Name one chroot, or say --all."),
        ("clean trixie-amd64 --all", "Name one chroot, or say --all."),
        ("clean trixie-amd64 --keep one", "There is no kept layer 'one'. There are: none."),
        ("scrub", "Name one chroot, or say --all."),
        ("scrub trixie-amd64 --only downloads", "Remove them with: scrub --all --only downloads"),
        ("scrub trixie-amd46", "did you mean trixie-amd64?"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(
    line: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*line.split(), "--state", str(tmp_path)]) == 1
    last = capsys.readouterr().out.rstrip().splitlines()[-1]
    assert last.startswith("failed: ") and sentence in last


def test_a_configuration_says_where_each_value_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "trixie-amd64", "--json", "--mirror", "http://m.example.org/debian"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["suite"]["value"] == "trixie"
    file, _, line = told["suite"]["origin"].rpartition(":")
    assert "trixie" in Path(file).read_text().splitlines()[int(line) - 1]
    assert told["mirror"]["value"] == "http://m.example.org/debian"
    assert told["mirror"]["origin"] == "--mirror"
    assert told["refresh_after"] == {"value": 86400, "origin": "default"}


def test_a_configuration_is_told_as_a_definition_has_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "house.yaml").write_text(
        "base: trixie-amd64\nmirror: http://own.example.org/debian\nplugins: [{name: lintian, required: true}]\n"
        "architecture: amd64\n")  # fmt: skip
    words = ["config", "house", "--definitions", str(tmp_path)]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"mirror: http://own.example.org/debian    # {tmp_path}/house.yaml:2" in lines
    assert "check_valid_until: true    # default" in lines
    assert f"plugins: [{{name: lintian, options: {{}}, required: true}}]    # {tmp_path}/house.yaml:3" in lines
    assert main([*words, "--mirror", "http://m.example.org/debian"]) == 0  # it wins, as it does in a build
    assert "mirror: http://m.example.org/debian    # --mirror" in capsys.readouterr().out.splitlines()


def test_the_list_is_for_programs_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json", "--state", str(tmp_path)]) == 0
    found = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert (found["trixie-amd64"]["suite"], found["trixie-amd64"]["base"]) == ("trixie", "")


STATUS = """Package: dpkg
Status: install ok installed
Architecture: amd64
Version: 1.22

Package: figlet
Status: install ok installed
Architecture: amd64
Version: 2.2.5-3
Description: letters
 Package: not-this

Package: libc6
Status: install ok installed
Architecture: arm64
Version: 2.41

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1
"""


def test_installed_packages() -> None:
    assert installed(STATUS) == {"dpkg": "1.22", "figlet": "2.2.5-3", "libc6:arm64": "2.41"}
    assert installed("") == {}


def test_changes_of_packages() -> None:
    found = changes({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"})
    assert found.lines() == ["+ d 1", "- c 1", "* b 1 -> 2"]
    assert not changes({"a": "1"}, {"a": "1"})


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small root, and beside it what must not be reached."""
    (tmp_path / "secret").write_text("secret")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/file").write_text("inside")
    (root / "usr/bin").mkdir(parents=True)
    (root / "bin").symlink_to("usr/bin")
    return root


@pytest.mark.parametrize("leads_to", ["/etc/file", "../../../../../etc/file", "/bin/../../etc/file"])
def test_links_are_followed_inside_the_tree_only(tree: Path, leads_to: str) -> None:
    (tree / "link").symlink_to(leads_to)
    with opened(tree, "/link", os.O_RDONLY) as fd:
        assert os.read(fd, 99) == b"inside"


def test_a_link_to_a_file_of_the_host_finds_nothing(tree: Path, tmp_path: Path) -> None:
    (tree / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match=r"There is no /link in the chroot"):
        copy_out(tree, "/link", tmp_path / "out", limit=99)
    assert not [path.name for path in tmp_path.iterdir() if "out" in path.name]


@pytest.mark.parametrize(
    "inside, leads_to, stays",
    [
        ("a", "b", True), ("a", "b/c", True), ("d/a", "../b", True), ("d/e/a", "../../b", True), ("d/a", "..", True),
        ("a", "..", False), ("a", "../b", False), ("d/a", "../../b", False), ("a", "/etc", False),
        ("d/a", "x/../../../b", False), ("d/e/a", "up/../x", False),  # where up leads is not known
    ],
)  # fmt: skip
def test_links_that_stay_below(inside: str, leads_to: str, stays: bool) -> None:
    assert stays_below(PurePosixPath(inside), leads_to) is stays


def test_a_folder_comes_out_whole_and_plain(tree: Path, tmp_path: Path) -> None:
    shell = tree / "etc/sub/shell"
    shell.parent.mkdir()
    shell.write_text("#!/bin/sh")
    shell.chmod(0o6755)
    (tree / "etc/good").symlink_to("sub/shell")
    (tree / "etc/bad").symlink_to("/etc/shadow")
    done = copy_out(tree, "/etc", tmp_path / "out", limit=99)
    assert (done.files, done.left_out) == (3, ["/etc/bad (a link to /etc/shadow)"])
    assert (tmp_path / "out/good").read_text() == "#!/bin/sh"
    assert (tmp_path / "out/sub/shell").stat().st_mode & 0o7777 == 0o755
    assert not (tmp_path / "out/bad").is_symlink()


@pytest.mark.parametrize(
    "trick, sentence",
    [
        (lambda root: os.mkfifo(root / "etc/x"), "/etc/x is a named pipe and is not copied."),
        (lambda root: (root / "etc/x").write_bytes(bytes(1000)), "/etc/x does not fit"),
        (lambda root: os.truncate((root / "etc/file"), 1 << 40), "/etc/file does not fit"),
    ],
)
def test_what_does_not_come_out(tree: Path, tmp_path: Path, trick: Trick, sentence: str) -> None:
    trick(tree)
    with pytest.raises(ToolError, match=sentence):
        copy_out(tree, "/etc", tmp_path / "out", limit=99)
    assert not [path.name for path in tmp_path.iterdir() if "out" in path.name]


def test_nothing_is_overwritten_outside(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exists already"):
        copy_out(tree, "/etc/file", tmp_path / "secret", limit=99)
    assert (tmp_path / "secret").read_text() == "secret"


def test_files_go_in(tree: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/a").write_text("a")
    (folder / "sub/b").symlink_to("/etc/shadow")
    assert copy_in(tree, [folder, tmp_path / "secret"], "/bin", owner=os.getuid()) == 3
    assert (tree / "usr/bin/folder/sub/a").read_text() == "a"
    assert os.fspath((tree / "usr/bin/folder/sub/b").readlink()) == "/etc/shadow"
    assert copy_in(tree, [tmp_path / "secret"], "/etc/file", owner=os.getuid()) == 1
    assert (tree / "etc/file").read_text() == "secret"


def test_what_goes_in_never_leaves_the_tree(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tree / "link").symlink_to(outside)
    (tree / "etc/folder").symlink_to(outside)
    (tree / "etc/secret").symlink_to(tmp_path / "secret")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/x").write_text("x")
    for sources, place, sentence in (
        ([tmp_path / "secret"], "/link/x", "There is no folder /link in the chroot"),
        ([tmp_path / "folder"], "/etc", "folder is there and is no folder"),
        ([tmp_path / "nothing"], "/etc", "There is no .*nothing to copy"),
        ([tmp_path / "secret"], "/nowhere/", "There is no folder /nowhere/ in the chroot"),
    ):
        with pytest.raises(InputError, match=sentence):
            copy_in(tree, sources, place, owner=os.getuid())
    copy_in(tree, [tmp_path / "folder/x"], "/etc/secret", owner=os.getuid())
    assert (tmp_path / "secret").read_text() == "secret" and not list(outside.iterdir())
    assert (tree / "etc/secret").read_text() == "x"  # the link itself was replaced


def test_differences(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    for root in (before, after):
        (root / "var/lib/dpkg").mkdir(parents=True)
        (root / "var/lib/dpkg/status").write_text(STATUS)
        for name in ("same", "content", "mode", "gone"):
            (root / name).write_text(name)
        (root / "link").symlink_to("same")
    (after / "content").write_text("CONTENT")
    (after / "mode").chmod(0o600)
    (after / "gone").unlink()
    (after / "new\n").write_text("")
    (after / "link").unlink()
    (after / "link").symlink_to("mode")
    (after / "var/lib/dpkg/status").write_text(STATUS.replace("2.2.5-3", "2.2.5-4"))
    found = difference(before, after)
    assert (found.added, found.removed) == (["/new\n"], ["/gone"])
    assert found.changed == ["/content", "/link", "/mode", "/var/lib/dpkg/status"]
    assert found.packages.upgraded == {"figlet": ("2.2.5-3", "2.2.5-4")}


@pytest.fixture
def filled(tmp_path: Path) -> State:
    """A state folder as if a base, a layer on it, a kept layer and a download had been made."""
    state = State(tmp_path / "state")
    folder = state.bases / TRIXIE.key / "1-abc"
    (folder / "tree/var/lib/dpkg").mkdir(parents=True)
    (folder / "tree/var/lib/dpkg/status").write_text(STATUS)
    write_json(folder / base.ABOUT, {"identity": "abc", "packages": 3, "size": 9, "mirror": "http://m.example.org/"})
    (folder.parent / base.CURRENT).symlink_to("1-abc")
    (state.layers / "l1/tree").mkdir(parents=True)
    about = {"base": "abc", "bytes": 5, "packages": ["figlet 0"], "below": [], "made_at": 1.0}
    write_json(state.layers / "l1" / shared.ABOUT, about)
    (state.files / "ab").mkdir(parents=True)
    (state.files / "ab/abcd").write_text("12345")
    (state.kept / TRIXIE.name / "one/changes").mkdir(parents=True)
    write_json(state.kept / TRIXIE.name / "one" / base.KEPT_ABOUT, {"base": f"{TRIXIE.key}/1-abc", "made_at": 1.0})
    state.locks.mkdir()
    return state


def test_a_chroot_is_described(filled: State, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "trixie-amd64.yaml").write_text("suite: trixie\narchitecture: amd64\n")
    options = ["trixie-amd64", "--state", str(filled.root), "--definitions", str(tmp_path)]
    assert main(["info", *options, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["base"]["identity"], told["packages"]["figlet"]) == ("abc", "2.2.5-3")
    assert ([layer["key"] for layer in told["layers"]], [layer["name"] for layer in told["kept"]]) == (["l1"], ["one"])
    assert main(["info", *options]) == 0
    assert "  figlet 2.2.5-3\n" in capsys.readouterr().out


def test_scrubbing_spares_what_is_needed(filled: State) -> None:
    freed = scrub(filled, TRIXIE, set(Part))
    assert freed.counts == {Part.LAYERS: 1}
    assert freed.stayed == ["base 1-abc is below the kept layers trixie-amd64/one"]
    assert kept.remove(kept.found(filled)[0], filled)
    folder = base.folders(filled.bases / TRIXIE.key)[0]
    with locked(folder / LOCK, shared=True):
        assert scrub(filled, TRIXIE, set(Part)).stayed == ["base 1-abc is in use"]
    assert scrub(filled, TRIXIE, set(Part)).counts == {Part.BASES: 1}
    assert base.current(filled.bases / TRIXIE.key) is None
    assert (filled.files / "ab/abcd").exists()
    assert scrub(filled, None, {Part.DOWNLOADS}).counts == {Part.DOWNLOADS: 1}
    assert not (filled.files / "ab/abcd").exists()


def test_cleaning_spares_a_layer_somebody_works_in(filled: State, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["clean", "--all", "--state", str(filled.root)]
    with locked(filled.locks / "kept-trixie-amd64-one"):
        assert main(command) == 1
    assert "in use: trixie-amd64/one" in capsys.readouterr().out
    assert main(command) == 0
    assert not kept.found(filled) and list((filled.kept / TRIXIE.name).iterdir()) == []


def test_a_removal_that_was_killed_is_finished_by_a_sweep(filled: State) -> None:
    folder = filled.kept / TRIXIE.name
    (folder / "one").rename(folder / ".dead-one-1234")
    (filled.layers / "l1").rename(filled.layers / ".dead-l1-1234")
    assert sorted(sweep(filled)) == ["l1-1234", "one-1234"]
    assert not list(folder.glob(".dead*"))


@pytest.mark.parametrize("name", ["", "A", "../x", ".x", "a b"])
def test_names_of_kept_layers(name: str, filled: State) -> None:
    with pytest.raises(InputError, match="cannot name a kept layer"):
        with kept.opened(TRIXIE, name, filled, lambda chunk: None):
            pass


@pytest.mark.parametrize(
    "trick, sentence",
    [
        (lambda upper: (upper / kept.SESSION).write_text("another boot\n"), "The host went down while one"),
        (lambda upper: (upper / "changes/run").symlink_to("/oldroot"), "/run has been replaced by a link"),
        (shutil.rmtree, "trixie-amd64 has no kept layer 'one'"),
    ],
)
def test_a_kept_layer_that_cannot_be_trusted_is_refused(filled: State, trick: Trick, sentence: str) -> None:
    trick(kept.found(filled)[0].upper)
    with pytest.raises(InputError, match=sentence):
        with kept.opened(TRIXIE, "one", filled, lambda chunk: None, make=False):
            pass


def test_a_kept_layer_is_for_one_at_a_time(filled: State) -> None:
    with kept.opened(TRIXIE, "one", filled, lambda chunk: None) as first:
        assert first.stands_on(filled).identity == "abc"
        with pytest.raises(InputError, match="Another command works in one of trixie-amd64"):
            with kept.opened(TRIXIE, "one", filled, lambda chunk: None):
                pass
    assert not (first.upper / kept.SESSION).exists()


def test_a_doctor_looks_at_control_groups(tmp_path: Path) -> None:
    assert not control_groups(tmp_path).ok
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    assert (control_groups(tmp_path).ok, control_groups(tmp_path).found) == (False, "version 2, without pids")
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    assert (control_groups(tmp_path).ok, control_groups(tmp_path).found) == (True, "version 2")


@pytest.mark.parametrize(
    "flags, ok", [("enabled\nflags: POF\n", True), ("enabled\nflags: PO\n", False), ("disabled\nflags: F\n", False)]
)
def test_a_doctor_looks_at_emulation(tmp_path: Path, flags: str, ok: bool) -> None:
    (tmp_path / "qemu-aarch64").write_text(flags)
    assert [(check.name, check.ok) for check in emulation("x86_64", tmp_path)] == [("programs of arm64", ok)]
    assert [check.name for check in emulation("aarch64", tmp_path)] == ["programs of amd64"]


def test_a_doctor_knows_what_builds_need(tmp_path: Path) -> None:
    assert not namespaces(0).ok and "sysctl" in namespaces(0).line
    assert disk(tmp_path, 1).ok and not disk(tmp_path, 1 << 60).ok
    coarse = Check(name="groups", ok=False, needed=False, found="none", mend="this")
    assert can_build([coarse]) and not can_build([coarse, namespaces(0)])
    assert coarse.line == "lacking groups: none\n        mend: this"


@pytest.mark.parametrize(
    "count, text", [(0, "0 bytes"), (1536, "1.5 KiB"), (461 << 20, "461 MiB"), (3 << 40, "3072 GiB")]
)
def test_sizes_for_people(count: int, text: str) -> None:
    assert told_size(count) == text


@pytest.mark.parametrize("seconds, text", [(5, "5 seconds"), (60, "1 minute"), (7300, "2 hours"), (90000, "1 day")])
def test_ages_for_people(seconds: float, text: str) -> None:
    assert told_age(seconds) == text


def test_a_layer_that_is_gone_is_not_begun_anew_by_its_lock(tmp_path: Path) -> None:
    layer = base.Layer(identity="gone", tree=tmp_path / "gone/tree")
    with pytest.raises(InfrastructureError, match="was removed while it was about to be used"):
        with layer.used():
            pass
    assert not (tmp_path / "gone").exists()  # an empty folder of that name would keep it from being made again


def test_two_processes_may_remove_the_same(filled: State) -> None:
    kept.remove(kept.found(filled)[0], filled)
    folders = [base.folders(filled.bases / TRIXIE.key)[0], shared.all_of(filled)[0][0]]
    for _ in range(2):
        assert base.remove(folders[0], filled) and expiry.remove(folders[1])
    assert not [folder for folder in folders if folder.exists()]


def test_output_that_nobody_reads_is_no_trouble(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "chroots.engine", "list", "--state", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, check=False, timeout=60)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")
