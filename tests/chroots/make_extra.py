"""Makes the folder `extra`: a repository of somebody else, two suites with one package, signed with a key thrown away.

Run it by hand (needs gpg and dpkg-deb); the tests only read what it made.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent / "extra"
SUITES = {"stable-extra": ("1.5", ""), "late-extra": ("2.0", "NotAutomatic: yes\nButAutomaticUpgrades: yes\n")}
CONTROL = """Package: extra-test
Version: {version}
Architecture: all
Maintainer: Test Writer <test@example.org>
Description: made for a test
 It says where it is from.
"""


def deb(version: str) -> tuple[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name, "root")
        root.mkdir(mode=0o755)
        (root / "DEBIAN").mkdir()
        (root / "DEBIAN/control").write_text(CONTROL.format(version=version))
        (root / "usr/share/extra-test").mkdir(parents=True)
        (root / "usr/share/extra-test/word").write_text(f"{version} from the extra repository\n")
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", root, Path(name, "x.deb")], check=True)
        return f"pool/extra-test_{version}_all.deb", Path(name, "x.deb").read_bytes()


def packages(version: str) -> bytes:
    """The index of a suite, and the package it lists."""
    path, content = deb(version)
    (HERE / path).write_bytes(content)
    return (f"{CONTROL.format(version=version)}Filename: {path}\nSize: {len(content)}\n"
            f"SHA256: {hashlib.sha256(content).hexdigest()}\n\n").encode()  # fmt: skip


def release(suite: str, more: str, index: bytes) -> str:
    return (f"Origin: Extra\nSuite: {suite}\nCodename: {suite}\nArchitectures: amd64\nComponents: main\n{more}"
            "Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n"
            f" {hashlib.sha256(index).hexdigest()} {len(index)} main/binary-amd64/Packages\n")  # fmt: skip


def main() -> None:
    shutil.rmtree(HERE, ignore_errors=True)
    (HERE / "pool").mkdir(parents=True)
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "GNUPGHOME": home}
        gpg = ["gpg", "--batch", "--passphrase", ""]
        key = ["--quick-gen-key", "Extra repository", "rsa2048", "sign", "never"]
        subprocess.run([*gpg, *key], env=environment, check=True)
        for suite, (version, more) in SUITES.items():
            folder = HERE / "dists" / suite
            (folder / "main/binary-amd64").mkdir(parents=True)
            index = packages(version)
            (folder / "main/binary-amd64/Packages").write_bytes(index)
            subprocess.run([*gpg, "--clearsign", "--output", folder / "InRelease"], env=environment, check=True,
                           input=release(suite, more, index).encode())  # fmt: skip
        subprocess.run([*gpg, "--armor", "--output", HERE / "key.asc", "--export"], env=environment, check=True)
        shown = subprocess.check_output([*gpg, "--with-colons", "--fingerprint"], env=environment, text=True)
        (HERE / "fingerprint").write_text(shown.split("fpr:")[1].strip(":\n").split(":")[0] + "\n")


if __name__ == "__main__":
    main()
