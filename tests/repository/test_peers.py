"""Our repositories as reprepro, aptly, dget and apt-get source read them, each with the key that it was given."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chroots.engine.archives import openpgp
from tests.repository.apt import Apt, Hub

pytestmark = pytest.mark.integration


def run(*args: str | Path, home: Path, refused: bool = False) -> str:
    done = subprocess.run([os.fspath(arg) for arg in args], capture_output=True, text=True, check=False, cwd=home,
                          env={**os.environ, "GNUPGHOME": os.fspath(home), "LC_ALL": "C.UTF-8"})  # fmt: skip
    assert bool(done.returncode) == refused, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def theirs(apt: Apt, tmp_path: Path) -> Iterator[Path]:
    """gpg's folder of somebody who has our public keys only."""
    home = tmp_path / "theirs"
    home.mkdir(mode=0o700)
    run("gpg", "--batch", "--import", apt.folder / "key.asc", home=home)
    yield home
    run("gpgconf", "--kill", "gpg-agent", home=home)


def reprepro(folder: Path, address: str, key: str) -> None:
    """Configure a mirror of ours that trusts this key (reprepro takes 16 digits of it)."""
    (folder / "conf").mkdir(parents=True, exist_ok=True)
    (folder / "conf/distributions").write_text(
        "Codename: mirror\nArchitectures: amd64 source\nComponents: main\nUpdate: house\nPull: house\n\n"
        "Codename: pulled\nArchitectures: amd64 source\nComponents: main\nPull: house\n"
    )
    (folder / "conf/pulls").write_text("Name: house\nFrom: mirror\n")
    (folder / "conf/updates").write_text(
        f"Name: house\nMethod: {address}\nSuite: house\nComponents: main\nArchitectures: amd64 source\n"
        f"VerifyRelease: {key}\n"
    )


def test_reprepro_updates_and_pulls_from_ours(hub: Hub, apt: Apt, theirs: Path, tmp_path: Path) -> None:
    alpha = hub.package("alpha")
    hub.change(alpha, sources=[hub.source("alpha")])
    mirror = tmp_path / "reprepro"
    reprepro(mirror, apt.address, hub.signer.fingerprints()[0][-16:])
    run("reprepro", "-b", mirror, "update", "mirror", home=theirs)
    run("reprepro", "-b", mirror, "pull", "pulled", home=theirs)
    listed = run("reprepro", "-b", mirror, "list", "pulled", home=theirs)
    assert "main|amd64: alpha 1.0" in listed and "main|source: alpha 1.0" in listed
    assert next(mirror.glob("pool/main/a/alpha/*.deb")).read_bytes() == hub.places[alpha[1].sha256].read_bytes()

    hub.change(hub.package("alpha", "2.0"), remove=["alpha_1.0"])
    run("reprepro", "-b", mirror, "update", "mirror", home=theirs)
    assert "main|amd64: alpha 2.0" in run("reprepro", "-b", mirror, "list", "mirror", home=theirs)
    hub.change(hub.package("alpha", "3.0"), remove=["alpha_2.0"])
    signed = hub.repository.folder / "dists/house/InRelease"
    signed.write_text(signed.read_text().replace("Label: House", "Label: Mouse"))
    assert "signature" in run("reprepro", "-b", mirror, "update", "mirror", home=theirs, refused=True)
    assert "main|amd64: alpha 2.0" in run("reprepro", "-b", mirror, "list", "mirror", home=theirs)


def test_aptly_mirrors_ours(hub: Hub, apt: Apt, theirs: Path, tmp_path: Path) -> None:
    hub.change(hub.package("alpha"), sources=[hub.source("alpha")])
    (tmp_path / "aptly.conf").write_text(json.dumps({"rootDir": f"{tmp_path}/aptly", "gpgProvider": "gpg"}))
    (theirs / "house.gpg").write_bytes(openpgp.binary(apt.keys, "key.asc"))

    def aptly(*args: str, keyring: str = "house.gpg", refused: bool = False) -> str:
        verified = [f"-keyring={theirs}/{keyring}"] if args[1] in ("create", "update") else []
        return run("aptly", f"-config={tmp_path}/aptly.conf", *args[:2], *verified, *args[2:], home=theirs,
                   refused=refused)  # fmt: skip

    aptly("mirror", "create", "-with-sources", "-architectures=amd64", "house", apt.address, "house", "main")
    aptly("mirror", "update", "house")
    hub.change(hub.package("beta"))
    aptly("mirror", "update", "house")
    shown = aptly("mirror", "show", "-with-packages", "house")
    assert {"alpha_1.0_all", "alpha_1.0_source", "beta_1.0_all"} <= set(shown.split())

    shutil.copy("/usr/share/keyrings/debian-archive-keyring.gpg", theirs / "other.gpg")
    assert "verification" in aptly("mirror", "update", "house", keyring="other.gpg", refused=True)


def test_sources_are_fetched_and_unpacked(hub: Hub, apt: Apt, theirs: Path) -> None:
    hub.change(sources=[hub.source("alpha")])
    apt("update")
    apt("source", "alpha")
    assert (apt.folder / "alpha-1.0/debian/rules").is_file()
    run("dget", "--allow-unauthenticated", f"{apt.address}/pool/main/a/alpha/b1/alpha_1.0.dsc", home=theirs)
    assert (theirs / "alpha-1.0/debian/rules").is_file()
