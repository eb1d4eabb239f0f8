"""Source packages made for a test, and the engine on the command line."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULES = """#!/usr/bin/make -f
clean build build-arch build-indep:
binary binary-arch:
binary-indep binary:
{commands}
	mkdir -p debian/tmp/DEBIAN debian/tmp/usr/share/{name}
	cp payload debian/tmp/usr/share/{name}/
	dpkg-gencontrol
	dpkg-deb --root-owner-group --build debian/tmp ..
"""
CONTROL = """Source: {name}
Section: misc
Priority: optional
Maintainer: Test Writer <test@example.org>
Standards-Version: 4.7.0
Rules-Requires-Root: no
{depends}
Package: {name}
Architecture: {architecture}
Description: made for a test
 It holds one file.
"""
CHANGELOG = """{name} (1.0) unstable; urgency=low

  * Made for a test.

 -- Test Writer <test@example.org>  Thu, 01 Jan 2026 00:00:00 +0000
"""


def dsc_text(name: str, tarball: Path, depends: str = "", architecture: str = "all") -> str:
    content = tarball.read_bytes()
    return (f"Format: 3.0 (native)\nSource: {name}\nBinary: {name}\nArchitecture: {architecture}\nVersion: 1.0\n"
            f"Maintainer: Test Writer <test@example.org>\n{f'Build-Depends: {depends}' + chr(10) if depends else ''}"
            f"Checksums-Sha256:\n {hashlib.sha256(content).hexdigest()} {len(content)} {tarball.name}\n"
            f"Files:\n {hashlib.md5(content).hexdigest()} {len(content)} {tarball.name}\n")  # fmt: skip


def write_source(folder: Path, name: str, *commands: str, depends: str = "", payload: bytes = b"hello\n",
                 architecture: str = "all", tests: Mapping[str, str] | None = None) -> Path:  # fmt: skip
    """Write a native source package whose build runs `commands` (lines of a makefile recipe); the path of its .dsc.

    `tests` are files of its debian/tests.
    """
    folder.mkdir(exist_ok=True)
    recipe = "\n".join(f"\t{command}" for command in commands)
    files = {
        "debian/rules": RULES.format(name=name, commands=recipe).encode(),
        "debian/control": CONTROL.format(
            name=name, architecture=architecture, depends=f"Build-Depends: {depends}\n" if depends else ""
        ).encode(),
        "debian/changelog": CHANGELOG.format(name=name).encode(),
        "debian/source/format": b"3.0 (native)\n",
        "payload": payload,
        **{f"debian/tests/{path}": text.encode() for path, text in (tests or {}).items()},
    }
    tarball = folder / f"{name}_1.0.tar.xz"
    with tarfile.open(tarball, "w:xz") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(f"{name}-1.0/{path}")
            member.size, member.mode = len(content), 0o755 if path == "debian/rules" else 0o644
            archive.addfile(member, io.BytesIO(content))
    dsc = folder / f"{name}_1.0.dsc"
    dsc.write_text(dsc_text(name, tarball, depends, architecture))
    return dsc


@pytest.fixture
def source_package(tmp_path: Path) -> Callable[..., Path]:
    """`write_source` into a folder of the test's own."""
    return partial(write_source, tmp_path / "source")


@pytest.fixture(scope="session")
def engine_state() -> Path:
    """A state folder that is kept between runs, so that the base is made once."""
    return Path(os.environ.get("DEBATOMIC_TEST_STATE") or ROOT / "var" / "test-state").absolute()


@pytest.fixture
def start_engine(engine_state: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the engine's command line; what still runs at the end of the test is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(command: str, *arguments: object, state: Path = engine_state) -> subprocess.Popen[str]:
        args = [sys.executable, "-m", "chroots.engine", command, "--state", state, *arguments]
        process = subprocess.Popen(list(map(os.fspath, map(str, args))), cwd=ROOT, text=True, bufsize=1,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def engine(start_engine: Callable[..., subprocess.Popen[str]]) -> Callable[..., tuple[int, str]]:
    """Run the engine's command line to its end; exit status and output."""

    def run(command: str, *arguments: object, **options: Path) -> tuple[int, str]:
        process = start_engine(command, *arguments, **options)
        output, _ = process.communicate(timeout=600)
        return process.returncode, output

    return run
