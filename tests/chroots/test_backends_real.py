"""The same package by every backend, and for another architecture: by a cross-compiler, and emulated."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.application import wait

pytestmark = pytest.mark.integration

Engine = Callable[..., tuple[int, str]]
Start = Callable[..., subprocess.Popen[str]]
MakeSource = Callable[..., Path]
CHROOT = ("--chroot", "trixie-amd64")
BACKENDS = ("native", "sbuild", "pbuilder")
OTHERS = BACKENDS[1:]
SECTIONS = ["source", "base", "install", "unpack", "build", "collect"]
LOOK = "@echo $$(id -u) in $$(pwd) with $$DEB_BUILD_OPTIONS, $$(tail -n +3 /proc/net/dev | cut -d: -f1) only"
COMPILE = (
    "echo 'int main(void) { return 0; }' > payload.c",
    "$$(dpkg-architecture -qDEB_HOST_GNU_TYPE)-gcc -o payload payload.c",
)


def result(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return told


@pytest.fixture(scope="module")
def made() -> dict[str, dict[str, str]]:
    """The SHA-256 of what each backend made."""
    return {}


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_makes_the_same(
    backend: str, engine: Engine, source_package: MakeSource, tmp_path: Path, made: dict[str, dict[str, str]]
) -> None:
    source = source_package("same-test", LOOK, depends="bc")
    status, output = engine("build", source, *CHROOT, "--output", tmp_path, "--backend", backend, "--parallel", 3,
                            "--nocheck", "--disk", "1G")  # fmt: skip
    assert status == 0, output[-3000:]
    found = result(tmp_path)
    assert (found["ok"], found["backend"], found["version"]) == (True, backend, "1.0")
    assert (
        set(SECTIONS) - {"install"} <= {phase["name"] for phase in found["phases"]} <= {*SECTIONS, "resolve", "fetch"}
    )
    assert all(f"== PHASE {phase['name']}" in output for phase in found["phases"])
    assert "/build/reproducible-path/same-test-1.0 with parallel=3 nocheck, lo only" in output
    packages = [f"same-test_1.0_{rest}" for rest in ("all.deb", "amd64.buildinfo", "amd64.changes")]
    names = ["build.log", "packages.json.gz", *packages]
    assert sorted(file["name"] for file in found["files"]) == names
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == sorted([*names, "result.json"])
    made[backend] = {file["name"]: file["sha256"] for file in found["files"] if file["kind"] == "deb"}
    assert made[backend] == next(iter(made.values()))


@pytest.mark.parametrize("backend", OTHERS)
def test_what_a_build_waits_for_is_named(
    backend: str, engine: Engine, source_package: MakeSource, tmp_path: Path
) -> None:
    source = source_package("wait-test", depends="debatomic-no-such-package")
    status, _ = engine("build", source, *CHROOT, "--output", tmp_path, "--backend", backend)
    found = result(tmp_path)
    assert (status, found["class"]) == (1, "dep-wait")
    assert found["reason"].startswith("wait-test waits for debatomic-no-such-package: trixie-amd64 has no such package")


@pytest.mark.parametrize("backend", OTHERS)
def test_cancel_ends_all_that_a_backend_started(
    backend: str, start_engine: Start, source_package: MakeSource, tmp_path: Path
) -> None:
    source = source_package("late-test", "echo here we wait; setsid sleep 4321 & sleep 4321")
    process = start_engine("build", source, *CHROOT, "--output", tmp_path, "--backend", backend)
    assert process.stdout and any(line == "here we wait\n" for line in process.stdout)
    wait(sleepers, 30)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    found = result(tmp_path)
    assert (process.returncode, found["class"], found["phases"][-1]["name"]) == (1, "canceled", "build")
    assert not sleepers() and not list(tmp_path.glob(".debatomic*"))


def sleepers() -> str:
    return subprocess.run(["pgrep", "-f", "^sleep 4321"], capture_output=True, text=True, check=False).stdout


def fields(deb: Path, *names: str) -> list[str]:
    return [subprocess.run(["dpkg-deb", "-f", deb, name], capture_output=True, text=True, check=True).stdout.strip()
            for name in names]  # fmt: skip


def machine(deb: Path, folder: Path, path: str) -> int:
    """The machine of an ELF file in a package: 62 is amd64, 183 is arm64."""
    subprocess.run(["dpkg-deb", "-x", deb, folder], check=True)
    content = (folder / path).read_bytes()
    assert content[:4] == b"\x7fELF"
    return int.from_bytes(content[18:20], "little")


def test_a_package_is_cross_built_for_arm64(engine: Engine, source_package: MakeSource, tmp_path: Path) -> None:
    looks = ("@echo options $$DEB_BUILD_OPTIONS profiles $$DEB_BUILD_PROFILES",
             "@dpkg-query -W -f 'has $${binary:Package}\\n' zlib1g-dev:arm64 gcc-aarch64-linux-gnu")  # fmt: skip
    source = source_package("cross-test", *looks, *COMPILE,
                            depends="zlib1g-dev, debatomic-no-such-package <!cross>", architecture="any")  # fmt: skip
    status, output = engine("build", source, *CHROOT, "--output", tmp_path, "--host", "arm64")
    assert status == 0, output[-3000:]
    for line in (
        "nocheck profiles cross nocheck",
        "has zlib1g-dev:arm64",
        "has gcc-aarch64-linux-gnu",
    ):
        assert line in output, line
    deb = tmp_path / "cross-test_1.0_arm64.deb"
    assert fields(deb, "Package", "Architecture") == ["cross-test", "arm64"]
    assert machine(deb, tmp_path / "tree", "usr/share/cross-test/payload") == 183


INSIDE = (
    "@uname -m; dpkg --print-architecture; id -u",
    "@grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status",
    "@unshare -Ur true 2>&1 || echo no user namespace",
    *COMPILE,
    "./payload && echo it ran",
)


@pytest.fixture
def emulator() -> None:
    """Programs of arm64 run here: the kernel is told, as Debian's package does where there is systemd."""
    subprocess.run(["update-binfmts", "--enable", "qemu-aarch64"], check=True)


@pytest.mark.timeout(2400)
def test_a_foreign_chroot_builds_in_the_same_jail(
    start_engine: Start, source_package: MakeSource, tmp_path: Path, emulator: None
) -> None:
    source = source_package("foreign-test", *INSIDE, architecture="any")
    process = start_engine("build", source, "--chroot", "trixie-arm64", "--output", tmp_path)
    output, _ = process.communicate(timeout=2400)  # all the base is installed by emulated programs
    assert process.returncode == 0, output[-3000:]
    lines = output.splitlines()
    start = lines.index("aarch64")
    assert lines[start : start + 3] == ["aarch64", "arm64", "1234"]
    for line in ("CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2", "no user namespace",
                 "it ran"):  # fmt: skip
        assert line in lines, line
    deb = tmp_path / "foreign-test_1.0_arm64.deb"
    assert fields(deb, "Architecture") == ["arm64"]
    assert machine(deb, tmp_path / "tree", "usr/share/foreign-test/payload") == 183
