"""Real chroots: what is built, what is refused, and that nothing gets out or stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chroots.traces import groups, remains, survivors
from tests.main_job.packages import source_package

pytestmark = pytest.mark.integration

Engine = Callable[..., tuple[int, str]]
Start = Callable[..., subprocess.Popen[str]]
MakeSource = Callable[..., Path]
CHROOT = ("--chroot", "trixie-amd64")


def result(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return told


def last(output: str) -> str:
    return output.rstrip().splitlines()[-1]


def phases(folder: Path) -> list[str]:
    return [phase["name"] for phase in result(folder)["phases"]]


def test_figlet_comes_out_of_the_archive_as_packages(engine: Engine, tmp_path: Path) -> None:
    status, output = engine("build", "figlet", *CHROOT, "--output", tmp_path / "one", "--build", "any")
    assert status == 0, output[-2000:]
    found = result(tmp_path / "one")
    assert last(output) == f"built: 5 files in {tmp_path / 'one'}"
    assert found["ok"] and found["source"] == "figlet" and found["version"].startswith("2.2.5-")
    kinds = sorted(file["kind"] for file in found["files"])
    assert kinds == ["buildinfo", "changes", "deb", "deb", "log", "report"]
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == sorted(
        [*(file["name"] for file in found["files"]), "result.json"]
    )

    status, output = engine("build", "figlet", *CHROOT, "--output", tmp_path / "two", "--build", "any")
    assert status == 0
    assert "install" not in phases(tmp_path / "two") and found["layer"] == result(tmp_path / "two")["layer"]
    debs = [{file["name"]: file["sha256"] for file in result(folder)["files"] if file["kind"] == "deb"}
            for folder in (tmp_path / "one", tmp_path / "two")]  # fmt: skip
    assert debs[0] == debs[1]


INSIDE = (
    "id; grep -E 'Cap(Eff|Prm|Bnd)|NoNewPrivs' /proc/self/status",
    "@echo interfaces: $$(tail -n +3 /proc/net/dev | cut -d: -f1)",
    "@unshare -Ur true 2>&1 || echo no user namespace",
    "@mount -t tmpfs none /mnt 2>&1 || echo no mount",
    "@touch /etc/x 2>&1 || echo no writing in /etc",
    "@echo core > /proc/sys/kernel/core_pattern || echo no kernel setting",
    "@echo processes: $$(ls -d /proc/[0-9]* | wc -l)",
    "@ls {secret} || echo no host file",
    "@pwd; umask",
    "@perl -MIO::Socket::INET -e '"
    'print IO::Socket::INET->new(PeerAddr => "{server}", Timeout => 3) ? 1 : 0, " connections\\n"\'',
)


def test_a_build_is_nobody_and_sees_nothing_of_the_host(
    engine: Engine, source_package: MakeSource, tmp_path: Path, listener: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    commands = [command.format(secret=secret, server=listener) for command in INSIDE]
    status, output = engine("build", source_package("inside-test", *commands), *CHROOT, "--output", tmp_path / "out")
    assert status == 0, output[-2000:]
    assert "uid=1234(builder) gid=1234(builder) groups=1234(builder)" in output
    for line in ("CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000",
                 "NoNewPrivs:\t1",
                 "interfaces: lo", "no user namespace", "no mount", "no writing in /etc", "no kernel setting",
                 "no host file", "0 connections", "/build/reproducible-path/inside-test-1.0", "0022"):  # fmt: skip
        assert line in output, line
    count = int(output.split("processes: ")[1].split()[0])
    assert count < 20


@pytest.fixture
def listener() -> Iterator[str]:
    """A server on the host's loopback."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


ENDLESS = (
    'perl -MPOSIX -e \'fork and exit; POSIX::setsid(); $$SIG{TERM} = "IGNORE"; '
    '$$0 = "debatomic-test-daemon"; sleep 600\' &',
    "echo here we wait; sleep 600",
)


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout
    for line in process.stdout:
        if text in line and "echo" not in line:
            return
    pytest.fail(f"the build ended without saying '{text}'")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_cancel_leaves_nothing(
    number: int, engine: Engine, start_engine: Start, source_package: MakeSource, engine_state: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    others = groups()  # of builds that have nothing to do with this test
    process = start_engine("build", source_package("endless-test", *ENDLESS), *CHROOT, "--output", output)
    wait_for(process, "here we wait")
    assert survivors()
    process.send_signal(number)
    started = time.monotonic()
    process.communicate(timeout=3)
    if number == signal.SIGKILL:
        assert engine("sweep")[0] == 0
        started = time.monotonic()  # it had to start first
    else:
        assert result(output)["kind"] == "canceled" and process.returncode == 1
    while left := remains(engine_state, output, others):
        assert time.monotonic() - started < 3, left
        time.sleep(0.02)
    assert not list(output.glob("*.deb"))


@pytest.mark.parametrize(
    "commands, options, kind, reason",
    [
        (["echo 'int main(void) { return x; }' > x.c; gcc x.c"], [], "build", "error: ‘x’ undeclared"),
        (["exit 3"], [], "build", "failed to build: make: *** [debian/rules"),
        (["sleep 60"], ["--idle-limit", "1"], "silence", "wrote nothing for 1 s"),
        (["while sleep 0.2; do echo tick; done"], ["--time-limit", "5"], "timeout", "time limit of 5 s"),
        (["perl -e '$$x = \"a\" x 600000000; print length $$x'"], ["--memory", "200M"], "killed",
         "out of memory at 200 MiB"),
        (["dd if=/dev/zero of=fill bs=1M count=200"], ["--disk", "64M"], "disk", "filled its disk limit of 64 MiB"),
        (["perl -e 'for (1..99) { defined(my $$p = fork) or die \"no fork: $$!\"; $$p or sleep 20 }'"],
         ["--processes", "40"], "build", "failed to build"),
    ],
)  # fmt: skip
def test_a_build_that_fails_says_why(
    commands: list[str],
    options: list[str],
    kind: str,
    reason: str,
    engine: Engine,
    source_package: MakeSource,
    tmp_path: Path,
) -> None:
    dsc = source_package("failing-test", *commands)
    status, output = engine("build", dsc, *CHROOT, "--output", tmp_path / "out", *options)
    assert status == 1
    found = result(tmp_path / "out")
    assert (found["ok"], found["kind"]) == (False, kind), output[-2000:]
    assert reason in found["reason"] and last(output) == f"failed: {found['reason']}"
    assert [file["kind"] for file in found["files"]] == ["log"]


def test_a_missing_build_dependency_is_named(engine: Engine, source_package: MakeSource, tmp_path: Path) -> None:
    dsc = source_package("waiting-test", depends="libno-such-thing-dev (>= 3)")
    status, output = engine("build", dsc, *CHROOT, "--output", tmp_path / "out")
    assert status == 1
    assert result(tmp_path / "out")["kind"] == "dep-wait"
    assert "libno-such-thing-dev (>= 3)" in last(output)


def test_two_builds_share_the_making_of_a_layer(
    start_engine: Start, source_package: MakeSource, engine_state: Path, tmp_path: Path
) -> None:
    dsc = source_package(
        "sharing-test", "/usr/games/cowsay moo", depends=f"cowsay, fortunes-min | nothing-{time.time_ns()}"
    )
    builds = [start_engine("build", dsc, *CHROOT, "--output", tmp_path / name) for name in ("one", "two")]
    outputs = [process.communicate(timeout=300)[0] for process in builds]
    assert [process.returncode for process in builds] == [0, 0], outputs
    assert result(tmp_path / "one")["layer"] == result(tmp_path / "two")["layer"] != ""
    assert not list(engine_state.glob("layers/.new-*"))


def test_a_full_disk_fails_the_build_and_leaves_nothing(
    engine: Engine, source_package: MakeSource, tmp_path: Path
) -> None:
    output = tmp_path / "small"
    output.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", output], check=True)
    try:
        dsc = source_package("large-test", payload=os.urandom(600_000))
        status, text = engine("build", dsc, *CHROOT, "--output", output)
        assert (status, result(output)["kind"]) == (1, "disk")
        assert "disk of this host is full" in last(text)
        assert sorted(path.name for path in output.iterdir()) == ["build.log", "result.json"]
    finally:
        subprocess.run(["umount", output], check=True)


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (["figlett", *CHROOT], "There is no source package 'figlett' in trixie (main). Did you mean figlet"),
        (["figlet", "--chroot", "trixie-amd46"], "did you mean trixie-amd64?"),
        (["figlet", *CHROOT, "--version", "9-9"], "trixie has no version 9-9 of figlet; it has 2.2.5-"),
        (["figlet", *CHROOT, "--mirror", "http://127.0.0.1:9"], "The archive at 127.0.0.1:9 cannot be reached"),
        (["nowhere_1.dsc", *CHROOT], "There is no file nowhere_1.dsc."),
    ],
)
def test_what_cannot_be_built_is_refused_in_a_sentence(
    arguments: list[str], reason: str, engine: Engine, tmp_path: Path
) -> None:
    status, output = engine("build", *arguments, "--output", tmp_path / "out")
    assert status == 1
    assert last(output).startswith("failed: ") and reason in last(output)


def test_files_other_than_those_submitted_are_refused(
    engine: Engine, source_package: MakeSource, tmp_path: Path
) -> None:
    dsc = source_package("frozen-test")
    (tmp_path / "expect.json").write_text(json.dumps({dsc.name: "0" * 64}))
    status, output = engine("build", dsc, *CHROOT, "--output", tmp_path / "out", "--expect", tmp_path / "expect.json")
    assert status == 1 and "changed since the build was submitted" in last(output)


def test_a_binary_rebuild_has_a_version_of_its_own(engine: Engine, tmp_path: Path) -> None:
    dsc = source_package(tmp_path / "source", "tiny", build="head -n 5 debian/changelog")
    rebuild = ("--binnmu", 2, "--binnmu-reason", "Rebuild against libfoo2.", "--binnmu-date", 1_700_000_000)
    status, output = engine("build", dsc, *CHROOT, "--output", tmp_path / "out", *rebuild)
    assert status == 0, output[-2000:]
    assert "tiny (1.0+b2) trixie; urgency=low, binary-only=yes" in output and "* Rebuild against libfoo2." in output
    changes = (tmp_path / "out" / "tiny_1.0+b2_amd64.changes").read_text()
    for line in ("Source: tiny (1.0)", "Binary-Only: yes", "Version: 1.0+b2", "Date: Tue, 14 Nov 2023 22:13:20 +0000"):
        assert f"{line}\n" in changes
    assert (tmp_path / "out" / "tiny_1.0+b2_amd64.deb").is_file()
