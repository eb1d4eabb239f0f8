"""Builds that a host finished with packages, their description and a .buildinfo, without building."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

from builds.models import BinaryPackage, Build
from hosts import hub
from hosts.kept import store
from hosts.models import Artifact, Host, Task
from tests import scene

BUILDINFO = """\
Format: 1.0
Source: figlet
Build-Architecture: amd64
Installed-Build-Depends:
 dpkg (= 1.22.22),
 gcc-14:arm64 (= 14.2.0-19),
 libc6-dev (= 2.41-12+deb13u1)
Environment:
 LC_ALL="C.UTF-8"
"""
RESULT = {
    "chroot": "trixie-amd64",
    "layer": "d8ae327c",
    "base": {"identity": "b" * 64, "packages": 133, "made_at": 1795264234},
}


def finished(
    build: Build, host: Host, folder: Path, paths: Sequence[str] | None, content: bytes = b"", *,
    relations: str = "", buildinfo: str = BUILDINFO,
) -> BinaryPackage:  # fmt: skip
    """Have the host complete the build: its package has these files; None: nobody described it.

    `relations` are lines of its control file.
    """
    Task.objects.filter(parent=build.task_id).update(priority=1)
    task = scene.begin(build, host)
    name = f"{build.source}_2.2.5-3_amd64.deb"
    files = [_kept(name, Artifact.Kind.BINARY, content or f"{build.pk}".encode(), folder),
             _kept(f"{build.source}.buildinfo", Artifact.Kind.BUILDINFO, buildinfo.encode(), folder)]  # fmt: skip
    if paths is not None:
        told = {name: {"control": f"Package: {build.source}\nVersion: 2.2.5-3\n{relations}", "files": sorted(paths)}}
        packed = gzip.compress(json.dumps(told).encode())
        files.append(_kept("packages.json.gz", Artifact.Kind.OTHER, packed, folder))
    assert task.claim is not None
    assert hub.finish(task.claim, RESULT, files)
    return BinaryPackage.objects.get(build=build)


def _kept(name: str, kind: str, content: bytes, folder: Path) -> hub.File:
    path = folder / "content"
    path.write_bytes(content)
    return hub.File(name=name, kind=kind, sha256=store.put(path)[0])
