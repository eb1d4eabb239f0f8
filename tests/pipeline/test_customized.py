"""Customisations of blueprints: what is refused with which line, what goes where, and what a tree gets."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from composes.pipeline.customized import firewall, folding, people, writing
from composes.pipeline.system import gpt
from composes.pipeline.treefiles import treefile
from composes.pipeline.treefiles.shown import as_treefile, differences, text
from debatomic.tools.errors import InputError

TOP = Path(__file__).parents[2]
DEFINITIONS = TOP / "composes/definitions"
STATE = Path(os.environ.get("DEBATOMIC_TEST_STATE") or TOP / "var/test-state").absolute()
HEAD = "suite: trixie\narchitectures: {amd64: {}}\nvariants: {v: {}}\n"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJtest admin@example.org"
WHOLE = f"""\
customizations:
  hostname: kiosk
  kernel: {{append: quiet mitigations=auto}}
  user:
    - name: admin
      description: The administrator
      password: $6$salt$hash
      key: {KEY}
      groups: [sudo, operators]
    - {{name: guest, home: /home/guest, shell: /bin/sh, uid: 1500}}
  group: [{{name: operators, gid: 1800}}]
  timezone: {{timezone: Europe/Berlin, ntpservers: [ntp.example.org]}}
  locale: {{languages: [de_DE.UTF-8], keyboard: us-intl}}
  services: {{enabled: [ssh, cockpit.socket], disabled: [apt-daily.timer], masked: [ctrl-alt-del.target]}}
  firewall: {{ports: ['8080:tcp', '6000-6010:udp', 'imap:tcp'], services: {{enabled: [ssh, http], disabled: [http]}}}}
  filesystem: [{{mountpoint: /, minsize: 10 GiB}}]
  directories: [{{path: /etc/house, mode: '0750', group: operators}}, {{path: /srv/data}}]
  files:
    - {{path: /etc/house/motto, data: "go\\n", mode: '0640', group: operators}}
    - {{path: /var/lib/house/seed, data: one}}
"""


def resolved(folder: Path, more: str) -> treefile.Tree:
    path = folder / "house.yaml"
    path.write_text(HEAD + more)
    return treefile.resolve(treefile.load(path), "v", "amd64")


@pytest.mark.parametrize(("more", "sentence"), [
    ("customizations:\n  usr: []\n", "house.yaml:5: unknown key usr; did you mean user?"),
    ("customizations:\n  user:\n    - name: a\n      password: hello\n",
     "house.yaml:7: password: hello is not a password's hash as mkpasswd and openssl passwd -6 print it"),
    ("customizations:\n  user:\n    - {name: Big}\n", "house.yaml:6: name: Big is not a name of a user or group"),
    ("customizations:\n  hostname: x\n  installer: {modules: {}}\n",
     "house.yaml:6: customizations.installer has no counterpart here: images are not installed by Anaconda"),
    ("customizations:\n  firewall:\n    zones: []\n", "house.yaml:6: customizations.firewall.zones has no counterpart"),
    ("customizations:\n  firewall:\n    services:\n      enabled: [ssh, cockpitt]\n",
     "house.yaml:7: the ports of the service cockpitt are not known; did you mean cockpit?"),
    ("customizations:\n  firewall:\n    ports:\n    - 70000:tcp\n", "house.yaml:7: there is no port 70000:tcp"),
    ("customizations:\n  filesystem:\n    - {mountpoint: /home, minsize: 1 GiB}\n",
     "house.yaml:6: mountpoint: /home is not /, the one file system that an image has."),
    ("customizations:\n  files:\n    - path: /tmp/x\n", "house.yaml:6: /tmp/x is in no place that lasts"),
    ("customizations:\n  files:\n    - path: /etc/../boot/x\n", "house.yaml:6: /etc/../boot/x is not a plain path"),
    ("customizations:\n  files:\n    - path: /etc/shadow\n", "house.yaml:6: /etc/shadow is made by the compose."),
    ("customizations:\n  files:\n    - {path: /etc/x, mode: 420}\n", "house.yaml:6: mode must be text, not a number."),
])  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, more: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        resolved(tmp_path, more)
    assert sentence in str(caught.value)


def test_what_another_key_says_goes_there(tmp_path: Path) -> None:
    tree = resolved(tmp_path, WHOLE)
    assert tree.kargs == ("quiet", "mitigations=auto")
    assert tree.enable == ("ssh.service", "cockpit.socket", "nftables.service")
    assert (tree.disable, tree.mask) == (("apt-daily.timer",), ("ctrl-alt-del.target",))
    assert tree.image.size == gpt.disk_bytes(10 << 30)
    left = {"hostname", "user", "group", "timezone", "locale", "firewall", "files", "directories"}
    assert set(tree.customizations) == left


def test_shown_resolved_it_is_the_same_system(tmp_path: Path) -> None:
    tree = resolved(tmp_path, WHOLE)
    for form in ("yaml", "json"):
        path = tmp_path / f"plain.{form}"
        path.write_text(text(as_treefile(tree), form))
        again = treefile.resolve(treefile.load(path), "v", "amd64")
        assert again.digest == tree.digest
    other = resolved(tmp_path, WHOLE.replace("hostname: kiosk", "hostname: desk"))
    told = ['+ customizations.hostname: "desk"', '- customizations.hostname: "kiosk"']
    assert sorted(differences(tree, other)) == told


def test_a_variant_puts_its_user_in_place_of_the_one_of_that_name(tmp_path: Path) -> None:
    path = tmp_path / "house.yaml"
    path.write_text("suite: trixie\narchitectures: {amd64: {}}\n"
                    "customizations: {user: [{name: a, uid: 1001}, {name: b}]}\n"
                    "variants: {v: {customizations: {user: [{name: a, uid: 1002}]}}}\n")  # fmt: skip
    tree = treefile.resolve(treefile.load(path), "v", "amd64")
    assert tree.customizations["user"] == [{"name": "b"}, {"name": "a", "uid": 1002}]


@pytest.mark.parametrize(("said", "lines"), [
    ({"ports": ["22:tcp", "80:tcp", "20-25:tcp"]}, ["tcp dport { 20-25, 80 } accept"]),
    ({"services": {"enabled": ["dns"]}}, ["tcp dport { 53 } accept", "udp dport { 53 } accept"]),
    ({"ports": []}, []),
])  # fmt: skip
def test_a_firewall_is_a_rule_set(said: dict[str, Any], lines: list[str]) -> None:
    rules = firewall.rules(said)
    assert "policy drop" in rules
    found = [line.strip() for line in rules.splitlines() if " dport {" in line and "68, 546" not in line]
    assert found == lines


@pytest.mark.parametrize(("path", "where"), [
    ("/etc/motd", ("/etc/motd", True)), ("/usr/lib/x", ("/usr/lib/x", True)), ("/srv/x", ("/var/srv/x", False)),
    ("/usr/local/bin/x", ("/var/usrlocal/bin/x", False)), ("/root/.bashrc", ("/var/roothome/.bashrc", False)),
])  # fmt: skip
def test_a_path_is_in_the_image_or_made_at_boot(path: str, where: tuple[str, bool]) -> None:
    assert folding.target(path) == where


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with the little that customisations look at."""
    files = {
        "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n",
        "etc/group": "root:x:0:\nsudo:x:27:\n", "bin/bash": "", "bin/sh": "", "etc/skel/.profile": "x",
        "usr/sbin/nft": "",
        "usr/share/zoneinfo/Europe/Berlin": "", "usr/lib/systemd/systemd-timesyncd": "", "usr/sbin/locale-gen": "",
        "usr/share/i18n/SUPPORTED": "de_DE.UTF-8 UTF-8\n", "etc/default/locale": "",
    }  # fmt: skip
    for name, content in files.items():
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path / "tree"


def test_a_tree_gets_what_is_said(tmp_path: Path, tree: Path) -> None:
    said = resolved(tmp_path, WHOLE).customizations
    writing.write(tree, said)
    commands = people.write(tree, said)

    assert (tree / "etc/localtime").readlink() == Path("/usr/share/zoneinfo/Europe/Berlin")
    assert (tree / writing.NTP).read_text() == "[Time]\nNTP=ntp.example.org\n"
    assert (tree / "etc/locale.conf").read_text() == "LANG=de_DE.UTF-8\n" == (tree / "etc/default/locale").read_text()
    assert (tree / "etc/locale.gen").read_text() == "de_DE.UTF-8 UTF-8\n"
    assert 'XKBLAYOUT="us"\nXKBVARIANT="intl"' in (tree / "etc/default/keyboard").read_text()
    assert "tcp dport { 22, 143, 8080 } accept" in (tree / "etc/nftables.conf").read_text()
    assert (tree / "etc/house/motto").read_text() == "go\n"
    assert (tree / "etc/house/motto").stat().st_mode & 0o777 == 0o640
    assert (tree / people.SYSUSERS).read_text().splitlines()[1:] == [
        "g operators 1800", 'u admin 1000 "The administrator" /var/home/admin /bin/bash',
        'u guest 1500 "" /var/home/guest /bin/sh', "m admin sudo", "m admin operators",
    ]  # fmt: skip
    assert (tree / writing.TMPFILES).read_text().splitlines()[1:] == [
        'd "/var/srv/data" 0755 root root - -', 'f~ "/var/lib/house/seed" 0644 root root - b25l',
        "d /var/home/admin 0700 admin admin - -", "C /var/home/admin/.profile 0644 admin admin - /etc/skel/.profile",
        "d /var/home/guest 0700 guest guest - -", "C /var/home/guest/.profile 0644 guest guest - /etc/skel/.profile",
    ]  # fmt: skip
    assert (tree / people.KEYS / "admin").read_text() == f"{KEY}\n"
    assert commands == [["systemd-sysusers", f"/{people.SYSUSERS}"], ["usermod", "--password=$6$salt$hash", "admin"]]


@pytest.mark.parametrize(("more", "sentence"), [
    ("  timezone: {timezone: Mars/Base}\n", "house.yaml:5: there is no time zone Mars/Base in the tree."),
    ("  locale: {languages: [xx_XX.UTF-8]}\n", "house.yaml:5: there is no locale xx_XX.UTF-8."),
    ("  user: [{name: a, groups: [nix]}]\n", "house.yaml:5: user a: there is no group nix."),
    ("  user: [{name: a, shell: /bin/zsh}]\n", "house.yaml:5: user a: there is no shell /bin/zsh in the tree."),
    ("  user: [{name: a, uid: 65534}]\n", "is not a number from 0 to 60000"),
    ("  user: [{name: a, uid: 7}, {name: b, uid: 7}]\n", "house.yaml:5: user b: the uid 7 is taken."),
    ("  directories: [{path: /etc/a/b/c}]\n", "house.yaml:5: /etc/a/b/c has no folder to be in."),
    ("  files: [{path: /etc/default}]\n", "house.yaml:5: /etc/default is a folder in the tree."),
])  # fmt: skip
def test_what_a_tree_cannot_have_is_said(tmp_path: Path, tree: Path, more: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        said = resolved(tmp_path, f"customizations:\n{more}").customizations
        writing.write(tree, said)
        people.write(tree, said)
    assert sentence in str(caught.value)


def test_a_package_that_a_customisation_needs_is_named(tmp_path: Path, tree: Path) -> None:
    (tree / "usr/sbin/nft").unlink()
    said = resolved(tmp_path, "customizations:\n  firewall: {ports: ['22:tcp']}\n").customizations
    with pytest.raises(InputError, match=r"house\.yaml:5: customizations\.firewall needs the package nftables\."):
        writing.write(tree, said)


REAL = f"""\
units: {{mask: [ctrl-alt-del.target]}}
customizations:
  hostname: kiosk
  user: [{{name: admin, description: The administrator, password: $6$salt$hash, key: {KEY}, groups: [operators, sudo]}}]
  group: [{{name: operators, gid: 1800}}]
  timezone: {{ntpservers: [ntp.example.org]}}
  services: {{disabled: [systemd-timesyncd]}}
  directories: [{{path: /etc/house, mode: '0750', user: admin, group: operators}}]
  files: [{{path: /etc/house/motto, data: go, mode: '0640', group: operators}}, {{path: /srv/seed, data: one}}]
"""


@pytest.mark.integration
def test_a_real_tree_has_them(tmp_path: Path) -> None:
    shutil.copytree(DEFINITIONS, tmp_path / "definition")
    house = tmp_path / "definition/debian-atomic.yaml"
    house.write_text(house.read_text() + REAL)
    args = [sys.executable, "-m", "composes.pipeline", "run", os.fspath(house), "--variant", "minimal", "--output",
            os.fspath(tmp_path / "out"), "--state", os.fspath(STATE), "--only", "rootfs"]  # fmt: skip
    done = subprocess.run(args, cwd=TOP, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    stages = json.loads((tmp_path / "out/result.json").read_text())["stages"]
    identity = next(each["identity"] for each in stages if each["name"] == "rootfs")
    etc = STATE / "composes/results" / identity / "tree/usr/etc"

    passwd = [line for line in (etc / "passwd").read_text().splitlines() if line.startswith("admin:")]
    assert passwd == ["admin:x:1000:1000:The administrator:/var/home/admin:/bin/bash"]
    assert "admin:$6$salt$hash:" in (etc / "shadow").read_text()
    groups = (etc / "group").read_text().splitlines()
    assert {"operators:x:1800:admin", "sudo:x:27:admin"} <= set(groups)
    assert (etc / "hostname").read_text() == "kiosk\n"
    assert (etc / "systemd/system/ctrl-alt-del.target").readlink() == Path("/dev/null")
    motto = (etc / "house/motto").stat()
    assert (motto.st_uid, motto.st_gid, motto.st_mode & 0o777) == (0, 1800, 0o640)
    folder = (etc / "house").stat()
    assert (folder.st_uid, folder.st_gid, folder.st_mode & 0o777) == (1000, 1800, 0o750)
    usr = etc.parent
    assert (usr / "lib/debatomic/authorized_keys/admin").read_text() == f"{KEY}\n"
    assert 'f~ "/var/srv/seed" 0644 root root - b25l' in (usr.parent / writing.TMPFILES).read_text()
    assert not list((etc.parent.parent / "var/home").glob("*"))
