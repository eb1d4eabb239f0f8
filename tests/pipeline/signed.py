"""A small signed archive of the tests' own, made of real packages and served over HTTP."""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DATE = "Sun, 01 Nov 2026 06:00:00 UTC"


@dataclass(frozen=True)
class Archive:
    """Its folder (`dists` and the packages), and the key that signs it: armoured, and its fingerprint."""

    folder: Path
    home: Path
    key: str
    fingerprint: str


def deb(folder: Path, name: str, version: str = "1.0", depends: str = "", architecture: str = "all") -> Path:
    """A package with one file, /usr/share/NAME/version; its path."""
    tree = folder / f"{name}-tree"
    (tree / "DEBIAN").mkdir(parents=True)
    needs = f"Depends: {depends}\n" if depends else ""
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: Test <test@example.org>\n"
        f"{needs}Description: for a test\n"
    )
    (tree / f"usr/share/{name}").mkdir(parents=True)
    (tree / f"usr/share/{name}/version").write_text(f"{version}\n")
    path = folder / f"{name}_{version.replace(':', '%3a')}_{architecture}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, path], check=True, capture_output=True)
    return path


def archive(folder: Path, *, suite: str = "house", fields: str = "") -> Archive:
    """The archive in a folder that holds its packages; `fields` are more lines of its Release."""
    home = Path(tempfile.mkdtemp(prefix="k", dir=folder.parent))  # short: gpg's sockets are in it
    gpg = ["gpg", "--homedir", os.fspath(home), "--batch"]
    subprocess.run([*gpg, "--passphrase", "", "--quick-gen-key", "House", "ed25519", "sign", "never"], check=True,
                   capture_output=True)  # fmt: skip
    listed = subprocess.run([*gpg, "--list-keys", "--with-colons"], check=True, capture_output=True, text=True).stdout
    fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))
    key = subprocess.run([*gpg, "--armor", "--export"], check=True, capture_output=True, text=True).stdout
    made = Archive(folder, home, key, fingerprint)
    sign(made, suite=suite, fields=fields)
    return made


def sign(archive: Archive, *, suite: str = "house", fields: str = "") -> None:
    """Its lists anew, of the packages that it has."""
    binary = archive.folder / "dists" / suite / "main/binary-amd64"
    binary.mkdir(parents=True, exist_ok=True)
    packages = subprocess.run(["dpkg-scanpackages", "--multiversion", "."], cwd=archive.folder, check=True,
                              capture_output=True).stdout  # fmt: skip
    (binary / "Packages").write_bytes(packages)
    listed = f" {hashlib.sha256(packages).hexdigest()} {len(packages)} main/binary-amd64/Packages\n"
    text = f"Suite: {suite}\nCodename: {suite}\nComponents: main\nDate: {DATE}\n{fields}SHA256:\n{listed}"
    release = archive.folder / "dists" / suite / "InRelease"
    release.unlink(missing_ok=True)
    subprocess.run(["gpg", "--homedir", os.fspath(archive.home), "--batch", "--clearsign", "--output", release],
                   input=text.encode(), check=True, capture_output=True)  # fmt: skip
    subprocess.run(["gpgconf", "--homedir", archive.home, "--kill", "gpg-agent"], check=True)
    until = time.monotonic() + 20  # it is only asked to end, and one that is ending answers nobody
    while (archive.home / "S.gpg-agent").exists() and time.monotonic() < until:
        time.sleep(0.01)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of the folder, over HTTP, until the block ends."""
    handler = functools.partial(_Quiet, directory=os.fspath(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
