"""A key of a packager, and what they sign with it."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Key:
    """gpg's folder with one secret key."""

    home: Path
    fingerprint: str
    public: str

    def sign(self, path: Path) -> None:
        """Clear-sign a file in its place."""
        signed = path.with_name(f"{path.name}.asc")
        subprocess.run(["gpg", "--homedir", self.home, "--batch", "--clearsign", "--output", signed, path], check=True,
                       capture_output=True)  # fmt: skip
        signed.replace(path)


@pytest.fixture(scope="session")
def key() -> Iterator[Key]:
    with tempfile.TemporaryDirectory(prefix="k") as name:  # short: gpg's sockets are in it
        gpg = ["gpg", "--homedir", name, "--batch"]
        subprocess.run([*gpg, "--passphrase", "", "--quick-gen-key", "Ann <ann@example.org>", "ed25519", "sign"],
                       check=True, capture_output=True)  # fmt: skip
        told = subprocess.run([*gpg, "--list-keys", "--with-colons"], check=True, capture_output=True, text=True).stdout
        fingerprint = next(line.split(":")[9] for line in told.splitlines() if line.startswith("fpr"))
        public = subprocess.run([*gpg, "--armor", "--export"], check=True, capture_output=True, text=True).stdout
        yield Key(Path(name), fingerprint, public)
        subprocess.run(["gpgconf", "--homedir", name, "--kill", "all"], check=False)
