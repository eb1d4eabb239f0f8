"""The engine's verb `try` on a real base: what it does, and what somebody hostile gets out of it."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chroots.neighbour import MARK, host

pytestmark = pytest.mark.integration

Engine = Callable[..., tuple[int, str]]
Try = Callable[..., tuple[int, str, dict[str, Any]]]


@pytest.fixture
def attempt(engine: Engine, tmp_path: Path) -> Try:
    """Try it in a fresh buildroot: exit status, what was said, the result."""

    def run(script: str, *options: object) -> tuple[int, str, dict[str, Any]]:
        status, output = engine("try", "trixie-amd64", "--output", tmp_path / "out", f"--run={script}", *options)
        return status, output, json.loads((tmp_path / "out/result.json").read_text())

    return run


def test_packages_and_files_go_in_and_files_and_the_difference_come_out(attempt: Try, tmp_path: Path) -> None:
    (tmp_path / "word.txt").write_text("moo\n")
    script = "mkdir kept; cowsay < word.txt > kept/said; echo 1 > one; rm word.txt; id -u; exit 3"
    status, output, result = attempt(
        f"PATH=$PATH:/usr/games; {script}", "--install", "cowsay", "--copy-in", tmp_path / "word.txt",
        "--copy-out", "/build/kept", "--copy-out", "/build/one", "--copy-out", "/no",
    )  # fmt: skip
    assert (status, result["ok"], result["status"], result["missing"]) == (0, True, 3, ["/no"]), output
    assert [file["name"] for file in result["files"]] == ["kept.tar.gz", "one"]
    assert (tmp_path / "out/one").read_text() == "1\n" and "\n1234\n" in output
    with tarfile.open(tmp_path / "out/kept.tar.gz") as packed:
        said = packed.extractfile("kept/said")
        assert said is not None and b"< moo >" in said.read()
    told = json.loads((tmp_path / "out/difference.json").read_text())
    assert "cowsay" in told["packages"]["added"] and "/usr/games/cowsay" in told["added"]
    assert "/build/word.txt" not in told["added"] and "/var/lib/dpkg/status" in told["changed"]


HOSTILE = f"""
perl -MPOSIX -e 'unless (fork) {{ POSIX::setsid(); $0 = "{MARK}"; sleep 600 }}'
mkdir out; cd out
ln -s /etc/shadow secret; ln -s ../../../../../etc/shadow up; cp /bin/sh shell; chmod 6755 shell
printf x > "$(printf 'esc\\033[2J')"; printf x > "$(printf 'raw\\377')"
perl -e 'for (1..300) {{ mkdir "deep"; chdir "deep" }}'
perl -e 'for (1..11000) {{ open my $f, ">", "/srv/$_" }}'
rm /var/lib/dpkg/status; ln -s /etc/shadow /var/lib/dpkg/status
! touch /proc/sys/kernel/hostname; ! cat /dev/sda
test $(tail -n +3 /proc/net/dev | wc -l) = 1
"""


def test_a_hostile_trial_gets_nothing_and_tells_nothing(attempt: Try, engine_state: Path, tmp_path: Path) -> None:
    before = host(engine_state)
    status, output, result = attempt(HOSTILE + "rm -r deep", "--user", "root", "--copy-out", "/build/out")
    assert (status, result["status"]) == (0, 0), output[-3000:]
    told = json.loads((tmp_path / "out/difference.json").read_text())
    assert told["untold"] >= 1000 and len(told["added"]) <= 10_000 and "/build/out/esc␛[2J" in told["added"]
    assert result["changes"]["packages"] > 100  # all are gone, and the host's shadow file is not read
    with tarfile.open(tmp_path / "out/out.tar.gz") as packed:
        found = {member.name: member for member in packed.getmembers()}
        assert found["out/shell"].mode == 0o755 and not {"out/secret", "out/up"} & set(found)
    assert len(result["files"][0]["left_out"]) == 2

    status, output, result = attempt(HOSTILE, "--user", "root", "--copy-out", "/build/out")
    assert "more than 200 folders deep" in output and result["missing"] == ["/build/out"]
    assert host(engine_state) == before


@pytest.mark.parametrize("script, options, kind, reason", [
    ("sleep 600", ["--time-limit", "3"], "timeout", "The script did not end within its time limit of 3 s"),
    ("dd if=/dev/zero of=big bs=1M", ["--disk", "64M"], "disk", "The script filled its disk limit of 64 MiB"),
    ("perl -e 'push @x, \"x\" x 1_000_000 while 1'", ["--memory", "200M"], "killed", "The script ran out of memory"),
])  # fmt: skip
def test_a_trial_is_held_by_its_limits(
    attempt: Try, engine_state: Path, script: str, options: list[str], kind: str, reason: str, tmp_path: Path
) -> None:
    before = host(engine_state)
    status, output, result = attempt(script, *options)
    assert (status, result["kind"], result["class"]) == (1, kind, kind), output[-2000:]
    assert reason in result["reason"] and output.rstrip().splitlines()[-1] == f"failed: {result['reason']}"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["result.json", "try.log"]
    assert host(engine_state) == before


def test_a_package_that_is_not_there_is_named(attempt: Try) -> None:
    status, _, result = attempt("true", "--install", "nonsense-package")
    assert (status, result["class"]) == (1, "dep-wait")
    assert result["reason"].startswith("nonsense-package cannot be installed: Unable to locate package")
