"""The engine without root: what keeps a user from it, and builds of a user with ids of their own."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chroots.engine.isolation import unprivileged
from chroots.engine.isolation.unprivileged import ALL_IDS, is_host_root, mending, obstacle, widest
from chroots.engine.layers.base import bootstrap_command
from chroots.engine.spec import ChrootSpec
from tests.chroots.conftest import ROOT, write_source
from tests.chroots.neighbour import processes

USER = "debatomic-tester"
SEEN = ["unshare", "--mount", "--", "sh", "-c", 'mount --bind "$1" "$2" && cd "$2" && shift 2 && exec "$@"', "sh"]
AsUser = Callable[..., tuple[int, str]]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("tester:100000:65536\n", 65536),
        ("other:100000:65536\n1234:165536:70000\n", 70000),
        ("tester:1:10\ntester:100000:65536\nodd line\n", 65536),
        ("tester:x:y\n", 0),
        ("", 0),
    ],
)
def test_ids_are_given_by_name_or_number(text: str, expected: int) -> None:
    assert widest(text, ["tester", "1234"]) == expected


def test_what_keeps_a_user_from_it_is_told_with_the_line_that_mends_it(tmp_path: Path) -> None:
    user = pwd.getpwuid(os.getuid()).pw_name
    kernel, files = tmp_path / "sys", tmp_path / "etc"
    (kernel / "kernel").mkdir(parents=True)
    files.mkdir()
    found = obstacle(kernel, files)
    assert found
    assert found.sentence == f"/etc/subuid gives {user} no ids, and 65536 are needed"
    assert found.mend == f"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}"
    (files / "subuid").write_text(f"another:100000:65536\n{user}:165536:1000\n")
    assert mending(user, files) == f"usermod --add-subuids 166536-232071 --add-subgids 166536-232071 {user}"
    found = obstacle(kernel, files)
    assert found
    assert found.sentence == f"/etc/subuid gives {user} 1000 ids, and 65536 are needed"
    for name, (value, mend) in unprivileged.SWITCHES.items():
        (kernel / name).write_text(f"{value}\n")
        found = obstacle(kernel, files)
        assert found
        assert (found.sentence, found.mend) == (f"the kernel's setting {name.replace('/', '.')} is {value}", mend)
        (kernel / name).unlink()


def test_only_the_root_of_all_ids_is_the_hosts() -> None:
    assert is_host_root(f"         {ALL_IDS}\n") == (os.geteuid() == 0)
    assert not is_host_root("         0       1001          1\n         1     100000      65536\n")
    spec = ChrootSpec(name="c", suite="trixie", architecture="amd64")
    assert "--mode=unshare" in bootstrap_command(spec, "http://m.example.org", Path("/t"), mode="unshare")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder of a user's own, who has no rights but ids; both are gone afterwards."""
    subprocess.run(["useradd", "--no-create-home", "--shell", "/bin/sh", USER], check=True)
    try:
        if USER not in Path("/etc/subuid").read_text():
            subprocess.run(mending(USER).split(), check=True)
        made = Path(tempfile.mkdtemp(prefix="debatomic-user-", dir="/var/tmp"))
        (made / "checkout").mkdir()
        shutil.chown(made, USER, USER)
        yield made
        shutil.rmtree(made)
    finally:
        subprocess.run(["userdel", USER], check=True)


def command(folder: Path, verb: str, *arguments: object) -> list[str]:
    """The engine's command line as that user's, with nothing of our environment.

    The checkout may be where only root may look: they see it below a folder of their own.
    """
    user = pwd.getpwnam(USER)
    become = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]
    clean = ["env", "--ignore-environment", "PATH=/usr/local/bin:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE=1"]
    python = f"{folder}/checkout/{Path(sys.executable).relative_to(ROOT)}"
    engine = [python, "-m", "chroots.engine", verb, "--state", f"{folder}/state", *map(str, arguments)]
    return [*SEEN, f"{ROOT}", f"{folder}/checkout", *become, *clean, *engine]


@pytest.fixture
def as_user(folder: Path) -> AsUser:
    """Run the engine as that user; exit status and output."""

    def run(verb: str, *arguments: object) -> tuple[int, str]:
        done = subprocess.run(command(folder, verb, *arguments), cwd=ROOT, text=True, capture_output=True, check=False,
                              timeout=600)  # fmt: skip
        return done.returncode, done.stdout

    return run


def source(folder: Path, name: str, *commands: str, depends: str = "") -> Path:
    dsc = write_source(folder / name, name, *commands, depends=depends)
    for path in dsc.parent.iterdir():
        path.chmod(0o644)
    return dsc


@pytest.mark.integration
def test_a_user_builds_with_dependencies_and_without_rights(folder: Path, as_user: AsUser) -> None:
    status, output = as_user("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(output)["checks"]}
    assert (status, checks["rights"]["ok"]) == (0, True), output
    dsc = source(folder, "of-a-user", "m4 --version | head -n 1", "id -u", "! touch /etc/mine", depends="m4")
    for number in range(2):
        status, output = as_user("build", dsc, "--chroot", "trixie-amd64", "--output", folder / "out", "--disk", "200M")
        assert status == 0, output[-3000:]
        assert "\nm4 (GNU M4)" in output
        assert "\n1234\n" in output
        assert ("== PHASE install" in output) == (number == 0)
    assert (folder / "out/of-a-user_1.0_all.deb").stat().st_uid == pwd.getpwnam(USER).pw_uid


@pytest.mark.integration
def test_a_users_build_is_held_by_its_limits(folder: Path, as_user: AsUser) -> None:
    dsc = source(folder, "filler", "dd if=/dev/zero of=filler bs=1M count=4000; sleep 20")
    words = [dsc, "--chroot", "trixie-amd64", "--output", folder / "out", "--memory", "1G"]
    status, output = as_user("build", *words, "--disk", "200M")  # in memory
    assert (status, output.splitlines()[-1]) == (1, "failed: The build filled its disk limit of 200 MiB.")
    status, output = as_user("build", *words, "--disk", "1500M")  # on disk
    assert status == 1
    assert "failed: More than the disk limit of 1500 MiB was written" in output
    dsc = source(
        folder, "forks", "perl -e 'for (1 .. 999) { fork // die qq(no more: $$!\\n) or do { sleep 60; exit } }'"
    )
    status, output = as_user(
        "build", dsc, "--chroot", "trixie-amd64", "--output", folder / "out", "--processes", "200", "--disk", "200M"
    )
    assert status == 1
    assert "no more: Resource temporarily unavailable" in output


@pytest.mark.integration
def test_nothing_is_left_of_a_killed_build_of_a_user(folder: Path, as_user: AsUser) -> None:
    dsc = source(folder, "sleeper", "echo asleep; sleep 600")
    words = command(folder, "build", dsc, "--chroot", "trixie-amd64", "--output", folder / "killed", "--disk", "200M")
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdout
        assert any(line == "asleep\n" for line in child.stdout)
        child.send_signal(signal.SIGKILL)
    until = time.monotonic() + 60
    while (left := [words for words in processes().values() if "sleeper" in words]) and time.monotonic() < until:
        time.sleep(0.05)
    assert left == []
    status, output = as_user("sweep")
    assert (status, output) == (0, "swept: 1 folders\n")
    assert list((folder / "state/work").glob(".[nd]*")) == list((folder / "killed").iterdir()) == []
    status, output = as_user("scrub", "--all")
    assert status == 0
    assert output.startswith("scrubbed: ")
    kept = ("bases/*/[0-9]*", "layers/*/layer.json", "files/*/*")
    assert [path for pattern in kept for path in (folder / "state").glob(pattern)] == []
