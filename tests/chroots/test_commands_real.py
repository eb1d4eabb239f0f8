"""The commands in real chroots: a person's work by hand, what is kept of it, and that nothing else is."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chroots.conftest import ROOT

pytestmark = pytest.mark.integration

Engine = Callable[..., tuple[int, str]]
CHROOT = "trixie-amd64"
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(engine_state: Path) -> Command:
    """Run one verb; its status, standard output and errors."""

    def run(verb: str, *words: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
        args = [sys.executable, "-m", "chroots.engine", verb, "--state", engine_state, *words]
        return subprocess.run(list(map(str, args)), cwd=ROOT, text=True, input=stdin, capture_output=True, timeout=300,
                              check=False)  # fmt: skip

    return run


@pytest.fixture
def keep(command: Command) -> Iterator[str]:
    """The name of a kept layer that is gone after the test."""
    name = f"test-{os.getpid()}-{time.monotonic_ns()}"
    yield name
    command("clean", CHROOT, "--keep", name)


def remains(state: Path) -> list[str]:
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if os.fspath(state) in line]
    return [*mounts, *map(os.fspath, state.glob("work/.[nd]*-*")), *map(os.fspath, state.glob("kept/*/.[nd]*-*"))]


def test_a_program_runs_with_our_streams_and_ends_with_its_status(command: Command) -> None:
    done = command("run", CHROOT, "--", "sh", "-c", "cat; echo aside >&2; exit 7", stdin="typed\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, "typed\n", "aside\n")


@pytest.mark.parametrize(
    "options, words, status, told",
    [
        ([], ["sh", "-c", "kill -9 $$"], 137, ""),
        (["--time-limit", "1"], ["sleep", "60"], 124, ""),
        (["--memory", "100M"], ["perl", "-e", '$x = "a" x 300000000'], 137, "The memory limit of 100 MiB was reached"),
        ([], ["no-such-program"], 127, "no-such-program"),
    ],
)
def test_how_a_program_can_end(command: Command, options: list[str], words: list[str], status: int, told: str) -> None:
    done = command("run", CHROOT, *options, "--", *words)
    assert done.returncode == status and told in done.stderr, done


def test_an_engine_that_cannot_run_it_says_so_aside(command: Command) -> None:
    done = command("run", "trixie-amd46", "--", "true")
    assert (done.returncode, done.stdout) == (125, "")
    assert "did you mean trixie-amd64?" in done.stderr


@pytest.mark.parametrize("user, number", [("root", 0), ("builder", 1234)])
def test_users_and_network(command: Command, user: str, number: int) -> None:
    look = "id -u; tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '"
    closed = command("run", CHROOT, "--user", user, "--", "sh", "-c", look).stdout.split()
    assert closed == [str(number), "lo"]
    opened = command("run", CHROOT, "--user", user, "--network", "--", "sh", "-c", look).stdout.split()
    assert len(opened) > 2 and opened[0] == str(number)


def test_names_are_found_only_with_the_network(command: Command) -> None:
    look = ["sh", "-c", "cat /etc/resolv.conf"]
    assert command("run", CHROOT, "--", *look).stdout == ""
    assert command("run", CHROOT, "--network", "--", *look).stdout == Path("/etc/resolv.conf").read_text()


def test_what_is_not_kept_is_gone(command: Command, engine_state: Path) -> None:
    command("run", CHROOT, "--", "touch", "/root/gone")
    assert command("run", CHROOT, "--", "ls", "/root").stdout == ""
    assert not remains(engine_state)


def test_a_kept_layer_is_gone_on_with(command: Command, keep: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/file").write_text("from outside\n")
    on = (CHROOT, "--keep", keep)
    done = command("install", *on, "cowsay")
    assert done.stdout.splitlines()[-1].startswith("installed: "), done
    assert command("copy-in", *on, tmp_path / "in", "/srv").returncode == 0
    made = command("run", *on, "--", "sh", "-c",
                   "/usr/games/cowsay < /srv/in/file > /srv/out; rm /etc/issue; ln -s /etc/shadow /srv/link; "
                   "mknod /srv/null c 1 3 2>/dev/null || mkfifo /srv/null")  # fmt: skip
    assert made.returncode == 0, made

    found = json.loads(command("diff", *on, "--json").stdout)
    assert "cowsay" in found["packages"]["added"] and "/etc/issue" in found["removed"]
    assert {"/srv/in/file", "/srv/out", "/srv/link"} <= set(found["added"])
    assert not [path for path in found["changed"] if path.startswith("/bin/")]

    assert command("copy-out", *on, "/srv/out", tmp_path / "cow").returncode == 0
    assert "from outside" in (tmp_path / "cow").read_text()
    refused = command("copy-out", *on, "/srv", tmp_path / "all")
    assert refused.returncode == 1 and "/srv/null is a" in refused.stdout and not (tmp_path / "all").exists()

    info = json.loads(command("info", CHROOT, "--json").stdout)
    assert keep in [layer["name"] for layer in info["kept"]]
    assert command("clean", CHROOT, "--keep", keep).returncode == 0
    gone = command("diff", *on)
    assert gone.returncode == 1 and f"has no kept layer '{keep}'" in gone.stderr


def test_a_package_that_is_not_there(command: Command, keep: str) -> None:
    done = command("install", CHROOT, "--keep", keep, "no-such-package")
    assert done.returncode == 1
    last = done.stdout.rstrip().splitlines()[-1]
    assert last == "failed: no-such-package cannot be installed: Unable to locate package no-such-package."


def test_the_base_itself_can_be_copied_from(command: Command, tmp_path: Path) -> None:
    assert command("copy-out", CHROOT, "/etc/debian_version", tmp_path).returncode == 0
    assert (tmp_path / "debian_version").read_text().strip()


def test_a_killed_command_leaves_its_layer_and_nothing_else(command: Command, keep: str, engine_state: Path) -> None:
    args = [sys.executable, "-m", "chroots.engine", "run", "--state", engine_state, CHROOT, "--keep", keep, "--",
            "sh", "-c", "echo one > /root/file; echo ready; sleep 601"]  # fmt: skip
    with subprocess.Popen(list(map(str, args)), cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "ready\n"
        busy = command("run", CHROOT, "--keep", keep, "--", "true")
        assert busy.returncode == 125 and "Another command works in" in busy.stderr
        process.send_signal(signal.SIGKILL)
    until = time.monotonic() + 60
    while command("sweep").returncode or remains(engine_state):
        assert time.monotonic() < until, remains(engine_state)
    assert command("run", CHROOT, "--keep", keep, "--", "cat", "/root/file").stdout == "one\n"


def read_until(fd: int, text: bytes, seconds: float = 60) -> bytes:
    got, until = b"", time.monotonic() + seconds
    while text not in got:
        assert select.select([fd], [], [], max(0.0, until - time.monotonic()))[0], got
        got += os.read(fd, 65536)
    return got


def test_a_shell_has_a_terminal_of_its_own(engine_state: Path) -> None:
    ours, theirs = pty.openpty()
    args = [sys.executable, "-m", "chroots.engine", "shell", "--state", engine_state, CHROOT]
    process = subprocess.Popen(list(map(str, args)), cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs)
    killer = threading.Timer(300, process.kill)
    killer.start()
    try:
        read_until(ours, b"# ")
        os.write(ours, b"tty; echo sum $((40+2))\n")
        assert b"/dev/pts/0" in read_until(ours, b"sum 42")
        os.write(ours, b"tr a-z A-Z\n")
        os.write(ours, b"here\n")
        read_until(ours, b"HERE")  # it runs: a Ctrl-C before that would be lost
        os.write(ours, b"\x03")
        read_until(ours, b"# ")
        os.write(ours, b"echo status $?\n")
        read_until(ours, b"status 130")
        os.write(ours, b"exit 5\n")
        read_until(ours, b"exit")
        assert process.wait(60) == 5
    finally:
        killer.cancel()
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def test_a_host_that_builds_is_called_ready(command: Command) -> None:
    done = command("doctor", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["can_build"]) == (0, True), told
    assert {"rights", "user namespaces", "control groups", "mirror"} <= {check["name"] for check in told["checks"]}


def test_a_host_without_network_is_told_what_to_do(command: Command) -> None:
    done = command("doctor", "--mirror", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "missing mirror: The archive at 127.0.0.1:9 cannot be reached" in done.stdout
    assert "mend: Name a mirror this host reaches with --mirror" in done.stdout


def test_the_program_in_bin_is_the_engine(tmp_path: Path, engine_state: Path) -> None:
    link = tmp_path / "debatomic-chroot"
    link.symlink_to(ROOT / "bin/debatomic-chroot")
    if not (ROOT / ".venv/bin/python").exists():
        pytest.fail("bin/debatomic-chroot uses the checkout's .venv: run make first")
    done = subprocess.run([link, "list"], capture_output=True, text=True, check=True)
    assert "trixie-amd64: trixie amd64 buildd" in done.stdout


def test_a_refresh_says_what_changed(command: Command, tmp_path: Path) -> None:
    """A chroot of its own with one package less, then one more; a kept layer holds on to the base it stands on."""
    definition = tmp_path / "tiny.yaml"
    definition.write_text("suite: trixie\narchitecture: amd64\nvariant: apt\npackages: [cowsay]\n")
    on = ("tiny", "--definitions", tmp_path, "--state", tmp_path / "state")
    first = command("refresh", *on)
    assert first.returncode == 0 and "refreshed: tiny" in first.stdout and "the first one" in first.stdout, first
    assert command("run", *on, "--keep", "one", "--", "touch", "/root/x").returncode == 0
    again = command("refresh", *on, "--json")
    told = json.loads(again.stdout)
    assert told["before"] == told["base"]["identity"] and not told["added"] and not told["upgraded"], told
    assert command("run", *on, "--keep", "one", "--", "ls", "/root").stdout == "x\n"
    stayed = command("scrub", *on)
    assert stayed.returncode == 1 and "is below the kept layers tiny/one" in stayed.stdout
    assert command("clean", *on).returncode == 0
    assert "scrubbed: 1 bases" in command("scrub", *on).stdout
    assert "has not been made yet" in command("info", *on).stdout
