"""Layers, caches and locks for real: stacks, builds at once, kills at any moment, full disks, equal bases."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chroots.engine.configuration import definitions
from tests.chroots.traces import family, groups, remains

pytestmark = pytest.mark.integration

Engine = Callable[..., tuple[int, str]]
Start = Callable[..., subprocess.Popen[str]]
MakeSource = Callable[..., Path]
CHROOT = ("--chroot", "trixie-amd64")
LIST = "dpkg-query --show | sed 's/^/installed: /'"
SEED = 20260101
KILLS = 10
FILL = "dd if=/dev/zero of=fill bs=1M count=1290 oflag=direct"


@pytest.fixture
def fresh(engine: Engine, engine_state: Path) -> Iterator[Path]:
    """A state folder without layers; its bases and downloads are the shared ones."""
    assert engine("init", "trixie-amd64")[0] == 0
    state = engine_state.with_name(f"fresh-{engine_state.name}")
    shutil.rmtree(state, ignore_errors=True)
    share(engine_state, state)
    yield state
    shutil.rmtree(state)


def share(old: Path, new: Path) -> None:
    new.mkdir()
    for name in ("bases", "files", "archive"):
        (old / name).mkdir(exist_ok=True)
        (new / name).symlink_to(old / name)


def result(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return told


def installed(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("installed: ")]


def newly(output: str) -> int:
    """How many packages apt installed."""
    return int(output.split(" newly installed", maxsplit=1)[0].rpartition(" ")[2])


def test_a_miss_pays_only_for_what_the_nearest_layer_lacks(
    engine: Engine, source_package: MakeSource, fresh: Path, engine_state: Path, tmp_path: Path
) -> None:
    one, two = (source_package(f"{name}-test", LIST, depends=depends)
                for name, depends in (("one", "cowsay"), ("two", "cowsay, sl, figlet")))  # fmt: skip
    status, below = engine("build", one, *CHROOT, "--output", tmp_path / "one", state=fresh)
    assert status == 0, below[-2000:]
    status, stacked = engine("build", two, *CHROOT, "--output", tmp_path / "two", state=fresh)
    assert status == 0 and "of them are in layer" in stacked, stacked[-2000:]

    scratch = fresh.with_name(f"other-{fresh.name}")
    share(engine_state, scratch)
    try:
        status, alone = engine("build", two, *CHROOT, "--output", tmp_path / "alone", state=scratch)
    finally:
        shutil.rmtree(scratch)
    assert status == 0 and "of them are in layer" not in alone
    assert 0 < newly(stacked) == newly(alone) - newly(below)
    assert installed(stacked) == installed(alone) and any("figlet" in line for line in installed(alone))
    assert result(tmp_path / "two")["layer"] == result(tmp_path / "alone")["layer"]
    debs = [{file["name"]: file["sha256"] for file in result(tmp_path / name)["files"] if file["kind"] == "deb"}
            for name in ("two", "alone")]  # fmt: skip
    assert debs[0] == debs[1]


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout
    seen = []
    for line in process.stdout:
        seen.append(line)
        if text in line:
            return
    pytest.fail(f"the build ended without saying '{text}': {''.join(seen[-20:])}")


def send(number: int, pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def test_builds_at_once_wait_for_nobody_but_whoever_makes_the_same_layer(
    start_engine: Start, source_package: MakeSource, fresh: Path, tmp_path: Path
) -> None:
    depends = {"first": "sl", "b": "cowsay", "c": "figlet", "d": "toilet", "e": "bc", "same": "sl"}
    sources = {name: source_package(f"{name}-test", depends=needs) for name, needs in depends.items()}

    def start(name: str) -> subprocess.Popen[str]:
        return start_engine("build", sources[name], *CHROOT, "--output", tmp_path / name, state=fresh)

    first = start("first")
    wait_for(first, "Reading package lists")  # of apt, which installs
    stopped = family(first.pid)
    send(signal.SIGSTOP, stopped)  # it holds whatever it holds, in the middle of installing
    try:
        others = {name: start(name) for name in "bcde"}
        same = start("same")
        outputs = {name: process.communicate(timeout=300)[0] for name, process in others.items()}
        assert [process.returncode for process in others.values()] == [0] * 4, outputs
        assert not (tmp_path / "first/result.json").exists()
        wait_for(same, "Another build is making the same layer")
    finally:
        send(signal.SIGCONT, stopped)
    told = {name: process.communicate(timeout=300)[0] for name, process in (("first", first), ("same", same))}
    assert (first.returncode, same.returncode) == (0, 0), told
    assert "newly installed" in told["first"] and "newly installed" not in told["same"]
    assert result(tmp_path / "first")["layer"] == result(tmp_path / "same")["layer"]


def test_whatever_is_killed_whenever_leaves_nothing(
    engine: Engine, start_engine: Start, source_package: MakeSource, fresh: Path, tmp_path: Path
) -> None:
    dsc = source_package("killed-test", "sleep 0.5", depends="cowsay, sl")
    output, chance = tmp_path / "out", random.Random(SEED)
    arguments = ["build", dsc, *CHROOT, "--output", output, "--tmpfs", "never"]
    began = time.monotonic()
    assert engine(*arguments, state=fresh)[0] == 0
    seconds = time.monotonic() - began
    for _ in range(KILLS):
        shutil.rmtree(fresh / "layers", ignore_errors=True)
        (output / "result.json").unlink(missing_ok=True)
        process = start_engine(*arguments, state=fresh)
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0, seconds))
        names = {f"debatomic-{path.name.strip('.')}" for path in fresh.glob("work/.new-*")}
        send(signal.SIGKILL, [chance.choice([process.pid, *family(process.pid)])])
        process.communicate(timeout=60)
        assert not settled(lambda: after_sweep(engine, fresh))
        assert not settled(lambda: remains(fresh, output, groups()))
        assert not settled(partial(groups_named, names))
    status, text = engine(*arguments, state=fresh)
    assert status == 0, text[-2000:]


def test_a_base_whose_making_is_killed_leaves_nothing(
    engine: Engine, start_engine: Start, fresh: Path, tmp_path: Path
) -> None:
    (fresh / "bases").unlink()
    chance = random.Random(SEED)
    for _ in range(3):
        process = start_engine("init", "trixie-amd64-minbase", state=fresh)
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.5, 5))
        send(signal.SIGKILL, [process.pid])
        process.communicate(timeout=60)
        assert not settled(lambda: after_sweep(engine, fresh))
        assert not settled(lambda: remains(fresh, tmp_path, groups()))
        assert not [path for path in fresh.glob("bases/*/*") if path.name != ".lock"]


def groups_named(names: set[str]) -> list[str]:
    return [path.name for path in groups() if path.name in names]


def after_sweep(engine: Engine, state: Path) -> list[str]:
    """The folders of work that a sweep leaves: it takes those of the dead, and a killed process is not dead at once."""
    assert engine("sweep", state=state)[0] == 0
    folders = [*state.glob("work/*"), *state.glob("bases/*/.[nd]*-*")]
    return [path.name for path in folders if not path.name.startswith(("empty-", ".lock"))]


def settled(ask: Callable[[], list[str]]) -> list[str]:
    """What is still there after the moment a killed process needs to go."""
    until = time.monotonic() + 30
    while (left := ask()) and time.monotonic() < until:
        time.sleep(0.02)
    return left


@pytest.fixture
def small(engine: Engine, engine_state: Path) -> Iterator[Path]:
    """A state folder on a small disk, with the shared bases and downloads."""
    assert engine("init", "trixie-amd64")[0] == 0
    state = engine_state.with_name(f"small-{engine_state.name}")
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "none", state], check=True)
    for name in ("bases", "files", "archive"):
        (state / name).symlink_to(engine_state / name)
    yield state
    subprocess.run(["umount", state], check=True)
    state.rmdir()


@pytest.mark.parametrize("commands, depends, options, free", [
    ([], "cowsay, sl", [], 600),  # installing stops a gibibyte before the end
    ([FILL, "sleep 30"], "", ["--tmpfs", "never"], 1300),  # building a quarter of one
])  # fmt: skip
def test_a_disk_of_the_host_that_is_full_fails_that_build_and_is_as_free_as_before(
    commands: list[str], depends: str, options: list[str], free: int, engine: Engine, source_package: MakeSource,
    small: Path, tmp_path: Path,
) -> None:  # fmt: skip
    subprocess.run(["mount", "-o", f"remount,size={free}m", small], check=True)
    dsc = source_package("filling-test", *commands, depends=depends)
    status, text = engine("build", dsc, *CHROOT, "--output", tmp_path, *options, state=small)
    assert (status, result(tmp_path)["kind"]) == (1, "disk"), text[-2000:]
    assert "The disk of this host is full" in result(tmp_path)["reason"]
    mount = Path("/proc/self/mounts").read_text().count(str(small))
    assert len(remains(small, tmp_path, groups())) == mount == 1 and used(small) < 4 << 20


def test_downloads_may_be_on_another_disk(
    engine: Engine, source_package: MakeSource, small: Path, tmp_path: Path
) -> None:
    subprocess.run(["mount", "-o", "remount,size=3g", small], check=True)
    status, text = engine(
        "build", source_package("apart-test", depends="sl"), *CHROOT, "--output", tmp_path, state=small
    )
    assert status == 0 and "newly installed" in text, text[-2000:]


def used(folder: Path) -> int:
    found = os.statvfs(folder)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def test_a_base_that_does_not_fit_leaves_nothing(engine: Engine, small: Path) -> None:
    (small / "bases").unlink()
    subprocess.run(["mount", "-o", "remount,size=60m", small], check=True)
    status, text = engine("init", "trixie-amd64-minbase", state=small)
    assert status == 1 and text.rstrip().splitlines()[-1].endswith("Free some disk space on this host."), text[-2000:]
    assert used(small) < 1 << 20


def test_two_bases_of_the_same_packages_are_equal_bit_for_bit(engine: Engine, fresh: Path) -> None:
    (fresh / "bases").unlink()
    told = []
    for _ in range(2):
        assert engine("init", "trixie-amd64-minbase", "--refresh", state=fresh)[0] == 0
        status, text = engine("info", "trixie-amd64-minbase", "--json", state=fresh)
        assert status == 0
        told.append(json.loads(text)["base"])
    assert told[0]["made_at"] != told[1]["made_at"]
    assert told[0]["digest"] == told[1]["digest"] and len(told[0]["digest"]) == 64


CACHED = ("echo 'int main(void) { return 0; }' > x.c; gcc -c x.c", "ls /run/ccache | sed 's/^/before: /'; ccache -s")


def test_a_compiler_cache_serves_its_own_source_package_only(
    engine: Engine, source_package: MakeSource, fresh: Path, tmp_path: Path
) -> None:
    def hits(name: str, *commands: str) -> str:
        dsc = source_package(name, *commands, depends="")
        status, output = engine("build", dsc, *CHROOT, "--ccache", "--output", tmp_path / name, state=fresh)
        assert status == 0, output[-2000:]
        return next(line.split()[1] for line in output.splitlines() if line.strip().startswith("Direct:"))

    assert [hits("cached-test", *CACHED) for _ in range(2)] == ["0", "1"]
    assert hits("other-test", *CACHED) == "0"
    key = definitions.load("trixie-amd64").key
    assert sorted(path.name for path in (fresh / "ccache" / key).iterdir()) == ["cached-test", "other-test"]
    assert engine("scrub", "--all", "--only", "ccache", state=fresh)[0] == 0
    assert not list((fresh / "ccache").glob("*/*/[0-9]*"))
