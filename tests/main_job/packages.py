"""Source packages of our own, so small that their builds take seconds: each test says what `debian/rules` does."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

MAINTAINER = "Tests <tests@example.org>"
PACKED = """\
\tmkdir -p debian/tmp/DEBIAN debian/tmp/usr/share/doc/{name}
\techo made by a test > debian/tmp/usr/share/doc/{name}/README
\tdpkg-gencontrol
\tdpkg-deb --root-owner-group --build debian/tmp ..
"""


def source_package(folder: Path, name: str, *, build: str = "true", needs: str = "") -> Path:
    """The .dsc of native source package `name` 1.0 (Architecture: any), its tarball beside it.

    `build` is one line of shell in the target build-arch; `needs` is its Build-Depends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tarball = folder / f"{name}_1.0.tar.xz"
    with tarfile.open(tarball, "w:xz") as tar:
        for path, text in _files(name, build, needs).items():
            entry = tarfile.TarInfo(f"{name}-1.0/debian/{path}")
            entry.size, entry.mode = len(text), 0o755 if path == "rules" else 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    dsc = folder / f"{name}_1.0.dsc"
    dsc.write_text(_described(name, needs, tarball))
    return dsc


def _files(name: str, build: str, needs: str) -> dict[str, str]:
    return {
        "control": f"Source: {name}\nMaintainer: {MAINTAINER}\nRules-Requires-Root: no\nStandards-Version: 4.7.0\n"
        + (f"Build-Depends: {needs}\n" if needs else "")
        + f"\nPackage: {name}\nArchitecture: any\nDescription: made by a test\n",
        "changelog": f"{name} (1.0) trixie; urgency=low\n\n  * First.\n\n"
        f" -- {MAINTAINER}  Thu, 01 Jan 2026 00:00:00 +0000\n",
        "source/format": "3.0 (native)\n",
        "rules": "#!/usr/bin/make -f\n"
        f"build: build-arch\nbuild-arch:\n\t{build}\nbuild-indep binary-indep clean:\n\ttrue\n"
        f"binary: binary-arch\nbinary-arch: build-arch\n{PACKED.format(name=name)}",
    }


def _described(name: str, needs: str, tarball: Path) -> str:
    data = tarball.read_bytes()
    digests = {"Checksums-Sha256": hashlib.sha256(data), "Files": hashlib.md5(data)}
    listed = "".join(f"{field}:\n {one.hexdigest()} {len(data)} {tarball.name}\n" for field, one in digests.items())
    return (
        f"Format: 3.0 (native)\nSource: {name}\nBinary: {name}\nArchitecture: any\nVersion: 1.0\n"
        f"Maintainer: {MAINTAINER}\n" + (f"Build-Depends: {needs}\n" if needs else "") + listed
    )
