"""Makes the folder `archive`: a tiny Debian archive signed with a key that is thrown away. Run it by hand (needs gpg).

The tests only read what it made, so that they need no gpg and the signatures stay the same.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent / "archive"
SUITES = {"stable-one": "", "expired": "Valid-Until: Sat, 01 Jan 2000 00:00:00 UTC\n"}
VERSIONS = ("1.0-1", "1.0-2", "1:0.9-1")


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def source(name: str, version: str, extra: str = "") -> str:
    """A paragraph of Sources, and the files it lists."""
    folder = HERE / "pool" / name
    folder.mkdir(parents=True, exist_ok=True)
    plain = version.partition(":")[2] or version
    lines = []
    for suffix in (".dsc", ".tar.xz"):
        content = f"{name} {version} {suffix}\n".encode()
        (folder / f"{name}_{plain}{suffix}").write_bytes(content)
        lines.append(f" {digest(content)} {len(content)} {name}_{plain}{suffix}")
    return (f"Package: {name}\nBinary: {name}\nVersion: {version}\nArchitecture: any all\nDirectory: pool/{name}\n"
            f"{extra}Checksums-Sha256:\n" + "\n".join(lines) + "\n")  # fmt: skip


def sign(folder: Path, text: str, home: str) -> None:
    subprocess.run(["gpg", "--batch", "--clearsign", "--output", folder / "InRelease"], input=text.encode(),
                   env={**os.environ, "GNUPGHOME": home}, check=True)  # fmt: skip


def main() -> None:
    shutil.rmtree(HERE, ignore_errors=True)
    paragraphs = [source("figlet", version) for version in VERSIONS]
    paragraphs += [source("toilet", "1"), source("ghost", "1", "Extra-Source-Only: yes\n"), source("gone", "1")]
    shutil.rmtree(HERE / "pool/gone")
    index = lzma.compress("\n".join(paragraphs).encode())
    with tempfile.TemporaryDirectory() as home:
        gpg = ["gpg", "--homedir", home, "--batch"]
        subprocess.run(
            [*gpg, "--passphrase", "", "--quick-gen-key", "Test archive", "ed25519", "sign", "never"], check=True
        )
        for suite, extra in SUITES.items():
            folder = HERE / "dists" / suite / "main/source"
            folder.mkdir(parents=True)
            (folder / "Sources.xz").write_bytes(index)
            listed = f"SHA256:\n {digest(index)} {len(index)} main/source/Sources.xz\n"
            sign(HERE / "dists" / suite, f"Suite: {suite}\nCodename: {suite}\n{extra}{listed}", home)
        subprocess.run([*gpg, "--output", HERE / "keyring.gpg", "--export"], check=True)


if __name__ == "__main__":
    main()
