"""Our repositories as reprepro and aptly mirror them, each with the key that it was given and no other."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from chroots.engine.archives import openpgp
from tests.repository.apt import Apt, Hub

pytestmark = pytest.mark.integration


def run(*args: str | Path, home: Path) -> str:
    done = subprocess.run([os.fspath(arg) for arg in args], capture_output=True, text=True, check=False,
                          env={**os.environ, "GNUPGHOME": os.fspath(home)})  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def keyring(apt: Apt, tmp_path: Path) -> Path:
    """gpg's folder of somebody who has our public keys only."""
    home = tmp_path / "theirs"
    home.mkdir(mode=0o700)
    run("gpg", "--batch", "--import", apt.folder / "key.asc", home=home)
    return home


def test_reprepro_updates_from_ours(hub: Hub, apt: Apt, keyring: Path, tmp_path: Path) -> None:
    hub.change(hub.package("alpha"))
    conf = tmp_path / "reprepro/conf"
    conf.mkdir(parents=True)
    (conf / "distributions").write_text("Codename: mirror\nArchitectures: amd64\nComponents: main\nUpdate: house\n")
    key = hub.signer.fingerprints()[0]
    (conf / "updates").write_text(
        f"Name: house\nMethod: {apt.address}\nSuite: house\nComponents: main\nArchitectures: amd64\n"
        f"VerifyRelease: {key}\n"
    )
    run("reprepro", "-b", conf.parent, "--noskipold", "update", home=keyring)
    assert "alpha 1.0" in run("reprepro", "-b", conf.parent, "list", "mirror", home=keyring)
    hub.change(hub.package("alpha", "2.0"), remove=["alpha_1.0"])
    run("reprepro", "-b", conf.parent, "update", home=keyring)
    assert "alpha 2.0" in run("reprepro", "-b", conf.parent, "list", "mirror", home=keyring)


def test_aptly_mirrors_ours(hub: Hub, apt: Apt, keyring: Path, tmp_path: Path) -> None:
    hub.change(hub.package("alpha"))
    (tmp_path / "aptly.conf").write_text(f'{{"rootDir": "{tmp_path}/aptly", "gpgProvider": "gpg"}}')
    (keyring / "house.gpg").write_bytes(openpgp.binary(apt.keys, "key.asc"))
    assert shutil.which("aptly")

    def aptly(*args: str) -> str:
        return run("aptly", f"-config={tmp_path}/aptly.conf", *args, home=keyring)

    verified = f"-keyring={keyring}/house.gpg"
    aptly("mirror", "create", verified, "-architectures=amd64", "house", apt.address, "house", "main")
    aptly("mirror", "update", verified, "house")
    hub.change(hub.package("beta"))
    aptly("mirror", "update", verified, "house")
    shown = aptly("mirror", "show", "-with-packages", "house")
    assert "alpha_1.0_all" in shown and "beta_1.0_all" in shown
