"""Makes the folder `extra`: a repository of somebody else with one package, signed with a key that is thrown away.

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
CONTROL = """Package: extra-test
Version: 1.5
Architecture: all
Maintainer: Test Writer <test@example.org>
Description: made for a test
 It says where it is from.
"""


def deb() -> tuple[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name, "root")
        root.mkdir(mode=0o755)
        (root / "DEBIAN").mkdir()
        (root / "DEBIAN/control").write_text(CONTROL)
        (root / "usr/share/extra-test").mkdir(parents=True)
        (root / "usr/share/extra-test/word").write_text("from the extra repository\n")
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", root, Path(name, "x.deb")], check=True)
        return "pool/extra-test_1.5_all.deb", Path(name, "x.deb").read_bytes()


def main() -> None:
    shutil.rmtree(HERE, ignore_errors=True)
    path, content = deb()
    packages = (f"{CONTROL}Filename: {path}\nSize: {len(content)}\n"
                f"SHA256: {hashlib.sha256(content).hexdigest()}\n\n").encode()  # fmt: skip
    folder = HERE / "dists/stable-extra"
    (folder / "main/binary-amd64").mkdir(parents=True)
    (HERE / "pool").mkdir()
    (HERE / path).write_bytes(content)
    (folder / "main/binary-amd64/Packages").write_bytes(packages)
    release = ("Origin: Extra\nSuite: stable-extra\nCodename: stable-extra\nArchitectures: amd64\nComponents: main\n"
               "Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n"
               f" {hashlib.sha256(packages).hexdigest()} {len(packages)} main/binary-amd64/Packages\n")  # fmt: skip
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "GNUPGHOME": home}
        gpg = ["gpg", "--batch", "--passphrase", ""]
        key = ["--quick-gen-key", "Extra repository", "rsa2048", "sign", "never"]
        subprocess.run([*gpg, *key], env=environment, check=True)
        subprocess.run([*gpg, "--clearsign", "--output", folder / "InRelease"], input=release.encode(), env=environment,
                       check=True)  # fmt: skip
        subprocess.run([*gpg, "--armor", "--output", HERE / "key.asc", "--export"], env=environment, check=True)
        shown = subprocess.check_output([*gpg, "--with-colons", "--fingerprint"], env=environment, text=True)
        (HERE / "fingerprint").write_text(shown.split("fpr:")[1].strip(":\n").split(":")[0] + "\n")


if __name__ == "__main__":
    main()
