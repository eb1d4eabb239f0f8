"""A target, and a tiny source package made on the spot."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from builds.models import Tag, Target
from chroots.models import Chroot
from hosts.models import Channel


@pytest.fixture
def target(default_channel: Channel) -> Target:
    chroot = Chroot.objects.create(name="trixie-amd64", suite="trixie", architecture="amd64", components=["main"])
    tag = Tag.objects.create(name="trixie")
    made = Target.objects.create(name="trixie", tag=tag, channel=default_channel)
    made.chroots.add(chroot)
    return made


@pytest.fixture
def source_package(tmp_path: Path) -> Path:
    """The .dsc of a native source package `tiny` 1.0 (Architecture: all), its tarball beside it."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    content = {
        "control": "Source: tiny\nMaintainer: Tests <tests@example.org>\n\nPackage: tiny\nArchitecture: all\n"
        "Description: tiny\n",
        "changelog": "tiny (1.0) trixie; urgency=low\n\n  * Tiny.\n\n"
        " -- Tests <tests@example.org>  Thu, 01 Jan 2026 00:00:00 +0000\n",
        "rules": "#!/usr/bin/make -f\n",
    }
    with tarfile.open(folder / "tiny_1.0.tar.xz", "w:xz") as tar:
        for name, text in content.items():
            entry = tarfile.TarInfo(f"tiny-1.0/debian/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    data = (folder / "tiny_1.0.tar.xz").read_bytes()
    dsc = folder / "tiny_1.0.dsc"
    dsc.write_text(
        "Format: 3.0 (native)\nSource: tiny\nBinary: tiny\nArchitecture: all\nVersion: 1.0\n"
        "Maintainer: Tests <tests@example.org>\n"
        f"Checksums-Sha256:\n {hashlib.sha256(data).hexdigest()} {len(data)} tiny_1.0.tar.xz\n"
        f"Files:\n {hashlib.md5(data).hexdigest()} {len(data)} tiny_1.0.tar.xz\n"
    )
    return dsc
