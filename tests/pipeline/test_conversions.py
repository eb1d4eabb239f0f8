"""What other image builders read, as treefiles: blueprints and debos' recipes; what has no counterpart is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from composes.pipeline import cli, debos
from composes.pipeline.customized import blueprint, toml_places
from composes.pipeline.debos import template
from composes.pipeline.treefiles import treefile
from debatomic.tools.errors import InputError

BLUEPRINT = """\
name = "kiosk"
description = "A kiosk"
version = "1.0"

[[packages]]
name = "openssh-server"
version = "*"

[[packages]]
name = "nano"
version = "8.4-1"

[[customizations.user]]
name = "admin"
password = "$6$salt$hash"

[customizations.kernel]
append = "quiet"

[[customizations.files]]
path = "/etc/motd"
mode = 0o600
data = '''
[not.a.table]
x = 1
'''

[customizations.timezone]
ntpservers = [
  "0.example.org",
]
"""
RECIPE = """\
{{- $suite := or .suite "trixie" -}}
{{- $architecture := or .architecture "amd64" -}}
{{if eq $architecture "i386"}}
{{ $suite = "bookworm" }}
{{end}}
architecture: {{ $architecture }}
actions:
  - action: debootstrap
    suite: {{ $suite }}
    components: [main, contrib]
    mirror: http://mirror.example.org/debian
  - action: apt
    recommends: true
    packages: [sudo, grub-efi, "nano=8.4-1", linux-image-amd64]
{{ if not (eq $suite "bullseye") }}
  - action: apt
    packages: [systemd-resolved]
{{ else }}
  - action: apt
    packages: [resolvconf]
{{ end }}
  - action: overlay
    source: overlays/base
  - action: run
    chroot: true
    command: systemctl enable systemd-networkd ssh.socket && systemctl mask ctrl-alt-del.target
  - action: run
    command: echo "box" > ${ROOTDIR}/etc/hostname
  - action: run
    chroot: true
    script: scripts/create-user.sh
  - action: ostree-commit
    repository: repo
    branch: debian/{{ $suite }}
    subject: update
  - action: image-partition
    imagesize: 4GB
    partitiontype: gpt
    colour: red
    mountpoints: [{mountpoint: /, partition: root}, {mountpoint: /home, partition: home}]
    partitions: [{name: root, fs: xfs, start: 0%, end: 100%}]
  - action: filesystem-deploy
    append-kernel-cmdline: console=ttyS0 quiet
  - action: pack
    file: box.tar.gz
  - action: download
    url: https://example.org/x
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    files = {"box.yaml": RECIPE, "overlays/base/etc/motd": "hello\n", "overlays/base/tmp/x": "x"}
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "overlays/base/usr/bin").mkdir(parents=True)
    (tmp_path / "overlays/base/usr/bin/tool").write_bytes(b"\x7fELF\xff\xfe")
    wants = tmp_path / "overlays/base/etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / "box.service").symlink_to("/usr/lib/systemd/system/box.service")
    return tmp_path / "box.yaml"


def test_a_blueprint_is_a_part_of_a_treefile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.toml").write_text(BLUEPRINT)
    assert cli.main(["blueprint", str(tmp_path / "config.toml"), "--output", str(tmp_path / "kiosk.yaml")]) == 0
    house = "include: kiosk.yaml\nsuite: trixie\narchitectures: {amd64: }\nvariants: {v: }\n"
    (tmp_path / "house.yaml").write_text(house)
    tree = treefile.resolve(treefile.load(tmp_path / "house.yaml"), "v", "amd64")
    assert (tree.name, tree.packages, tree.kargs) == ("kiosk", ("openssh-server", "nano"), ("quiet",))
    assert tree.customizations["user"] == [{"name": "admin", "password": "$6$salt$hash"}]
    assert tree.customizations["files"] == [{"path": "/etc/motd", "mode": "0600", "data": "[not.a.table]\nx = 1\n"}]
    assert capsys.readouterr().err.splitlines() == [
        "config.toml:3: version has no counterpart: a compose gets its version from the archive's date.",
        "config.toml:11: the version of nano has no counterpart: a lock or a snapshot fixes versions.",
    ]


def test_the_same_blueprint_in_json_is_the_same_part() -> None:
    part, _ = blueprint.part_of(BLUEPRINT, "config.toml")
    content = json.dumps(toml_places.load(BLUEPRINT, "x"), indent="\t")
    assert blueprint.part_of(content, "config.json")[0] == part


@pytest.mark.parametrize(("more", "sentence"), [
    ("[customizations.installer.kickstart]\ncontents = 'x'\n",
     "config.toml:33: customizations.installer has no counterpart here: images are not installed by Anaconda"),
    ("[[customizations.user]]\nname = 'b'\npassword = 'plain'\n", "config.toml:35: password: plain is not a pass"),
    ("[customizations.locale]\nlangages = []\n", "config.toml:34: unknown key langages; did you mean languages?"),
    ("[[customizations.group]]\nname = 'a'\n[[customizations.group]]\nname = 'b'\nnam = 'x'\n",
     "config.toml:37: unknown key nam"),
    ("[custmizations]\n", "config.toml:33: unknown key custmizations; did you mean customizations?"),
    ("[customizations.firewall]\nservices.enabled = ['sssh']\n", "config.toml:34: the ports of the service sssh are"),
    ("a = = 1\n", "config.toml:33: this is not valid TOML: "),
])  # fmt: skip
def test_what_is_wrong_in_a_blueprint_is_said_with_its_line(more: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        blueprint.part_of(BLUEPRINT + "\n" + more, "config.toml")
    assert sentence in str(caught.value)


def test_a_recipe_becomes_a_treefile_and_the_rest_is_named(recipe: Path) -> None:
    found = debos.read(recipe, {})
    path = recipe.with_name("made.yaml")
    path.write_text(blueprint.dump(found.treefile))
    tree = treefile.resolve(treefile.load(path), "default", "amd64")
    assert (tree.name, tree.suite, tree.components, tree.ref) == ("box", "trixie", ("main", "contrib"), "debian/trixie")
    assert tree.packages[:4] == ("sudo", "nano", "linux-image-amd64", "systemd-resolved")
    assert tree.recommends
    assert tree.enable == ("box.service", "systemd-networkd.service", "ssh.socket")
    assert (tree.mask, tree.kargs) == (("ctrl-alt-del.target",), ("console=ttyS0", "quiet"))
    assert (tree.image.size, tree.image.formats, tree.image.filesystem) == (4 << 30, ("raw", "tar"), "xfs")
    assert tree.customizations == {
        "files": [{"path": "/etc/motd", "mode": "0644", "data": "hello\n"}],
        "hostname": "box",
    }
    assert [line.partition(" has no")[0].partition(" is ")[0] for line in found.left] == [
        "box.yaml:11: the mirror http://mirror.example.org/debian", "box.yaml:14: grub-efi",
        "box.yaml:14: =8.4-1 of nano",
        "box.yaml:23: the file /tmp/x of the overlay", "box.yaml:23: the file /usr/bin/tool of the overlay",
        "box.yaml:31: run", "box.yaml:33: the repository repo", "box.yaml:40: the mount point /home",
        "box.yaml:39: colour of the action image-partition", "box.yaml:46: the action download",
        "box: added the packages systemd-sysv, dracut, ostree, ostree-boot: an atomic system needs them.",
    ]  # fmt: skip


def test_a_template_takes_values_from_outside(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["import-debos", str(recipe), "-t", "suite:bullseye"]) == 0
    out = capsys.readouterr().out
    assert "suite: bullseye" in out
    assert "resolvconf" in out
    assert "systemd-resolved" not in out


@pytest.mark.parametrize(("text", "sentence"), [
    ("actions:\n- action: debootsrap\n", "box.yaml:2: there is no action debootsrap; did you mean debootstrap or "),
    ("action: []\n", "box.yaml:1: a recipe has a list of actions."),
    ("actions: []\nactons: []\n", "box.yaml:2: unknown key actons; did you mean actions?"),
    ("actions:\n- action: debootstrap\n", "box.yaml:2: the action debootstrap lacks the key suite."),
    ("actions:\n- action: apt\n  packages: nano\n", "box.yaml:3: packages of the action apt must be a list."),
    ("actions:\n- action: overlay\n  source: ../x\n", "box.yaml:3: overlay: there is no folder ../x beside"),
    ("a: 1\nb: {{ range .x }}\n", "box.yaml:2: range is not understood here."),
    ("a: {{ $x }}\n", "box.yaml:1: the variable $x, which nothing sets, is not understood here."),
    ("a: {{ if .x }}\n", "box.yaml:1: an if without an end is not understood here."),
])  # fmt: skip
def test_what_is_wrong_in_a_recipe_is_said_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "box.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        debos.read(tmp_path / "box.yaml", {})
    assert sentence in str(caught.value)


@pytest.mark.parametrize(("text", "result"), [
    ('{{ printf "%s-%s" "a" (or .b "c") }}', "a-c"),
    ('{{ $x := "1" }}{{ if ne $x "1" }}no{{ else if eq $x "2" "1" }}yes{{ else }}no{{ end }}', "yes"),
    ('{{ if and .b (not .c) }}both{{ end }}.', "."),
    ("{{- /* a remark */ -}}x", "x"),
    ('{{ if .b }}\n{{ $y := $unknown }}\n{{ end }}x', "\n\nx"),
])  # fmt: skip
def test_templates(text: str, result: str) -> None:
    assert template.render(text, "box.yaml", {}) == result
