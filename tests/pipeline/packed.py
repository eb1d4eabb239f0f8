"""Package files with a changelog, made with dpkg-deb."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

from composes.pipeline.packages.lock import Package

DATE = "Thu, 01 Jan 2026 00:00:00 +0000"


def changelog(source: str, entries: Sequence[tuple[str, str]]) -> str:
    """A changelog of (version, line) pairs, newest first."""
    return "\n".join(f"{source} ({version}) trixie; urgency=low\n\n  * {line}\n\n -- A Tester <a@example.org>  {DATE}\n"
                     for version, line in entries)  # fmt: skip


def deb(
    folder: Path, name: str, text: str = "", *, file: str = "changelog.Debian.gz", compression: str = "xz",
    padding: int = 0, source: str = "",
) -> tuple[Path, Package]:  # fmt: skip
    """A package whose documentation has this text as `file`, and what a lock says of it."""
    tree = folder / f"{name}-tree"
    doc = tree / "usr/share/doc" / name
    doc.mkdir(parents=True)
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: A <a@b.c>\n"
                                         "Description: for a test\n")  # fmt: skip
    (tree / "usr/aaa").write_bytes(b"x" * padding)
    if text:
        (doc / file).write_bytes(gzip.compress(text.encode()))
    path = folder / f"{name}_1_all.deb"
    subprocess.run(["dpkg-deb", f"-Z{compression}", "--root-owner-group", "--build", tree, path], check=True,
                   capture_output=True)  # fmt: skip
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return path, Package(name=name, architecture="all", version="1", sha256=digest, size=path.stat().st_size,
                         uri=path.as_uri(), origin="debian", source=source or name)  # fmt: skip
