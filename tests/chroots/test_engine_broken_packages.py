"""Packages that are broken in one way each, really built: what the engine says about them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chroots.broken import write

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "kind, retry, cause, reason",
    [
        ("unpack", "input", "unpack", "broken-unpack_1.0.orig.tar.xz: unxz: (stdin): File format not recognized"),
        ("patch", "input", "patch", "does not apply: first.patch: Hunk #1 FAILED at 1 of main.c"),
        ("configure", "build", "configure", "cannot be configured: configure: error: Package requirements"),
        ("compile", "build", "compile", "broken-compile 1.0-1 does not compile: main.c:3:16: error: ‘x’ undeclared"),
        ("link", "build", "compile", "does not compile: main.c:(.text+0x5): undefined reference to `other'"),
        ("test", "build", "test", "The tests of broken-test 1.0-1 fail: FAIL: b"),
        ("install", "build", "install", 'dh_install: warning: Cannot find (any matches for) "usr/bin/prog"'),
        ("version", "dep-wait", "dep-wait", "broken-version waits for figlet (>= 99): trixie-amd64 has 2.2.5-3"),
        ("conflict", "dep-wait", "dep-wait", "broken-conflict cannot be installed together: postfix:amd64 Conflicts"),
        ("absent", "dep-wait", "dep-wait", "waits for libnonsense-dev: trixie-amd64 has no such package."),
    ],
)
def test_a_broken_package_says_how(
    kind: str, retry: str, cause: str, reason: str, engine: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    output = tmp_path / "out"
    status, text = engine("build", write(tmp_path, kind), "--chroot", "trixie-amd64", "--output", output)
    found = json.loads((output / "result.json").read_text())
    assert status == 1 and (found["kind"], found["class"]) == (retry, cause), text[-3000:]
    assert reason in found["reason"] and text.rstrip().endswith(f"failed: {found['reason']}")
    log = (output / "build.log").read_text()
    assert found["decisive"] and all(line in log for line in found["decisive"])
