"""Treefiles: what is merged how, and what is refused with which sentence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from composes.pipeline.treefiles import marks, treefile
from composes.pipeline.treefiles.image import ImageOptions
from debatomic.tools.errors import InputError

HOUSE = Path(__file__).parents[2] / "composes/definitions/debian-atomic.yaml"
GOOD = """\
suite: trixie
architectures:
  amd64:
    packages: [linux-image-cloud-amd64]
  arm64: {}
packages: [systemd, dracut]
kargs: [quiet]
image: {size: 2G, formats: [raw]}
metadata: {team: atomic}
variants:
  minimal:
    packages: [ostree]
  server:
    inherits: minimal
    summary: For the rack
    packages: [openssh-server, systemd]
    image: {size: 3G}
    architectures:
      amd64: {packages: [qemu-guest-agent]}
  round: {inherits: about}
  about: {inherits: round}
"""


def written(folder: Path, text: str, name: str = "house.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_variant_adds_to_what_it_inherits(tmp_path: Path) -> None:
    tree = treefile.resolve(treefile.load(written(tmp_path, GOOD)), "server", "amd64")
    own = ("systemd", "dracut", "linux-image-cloud-amd64")
    assert tree.packages == (*own, "ostree", "openssh-server", "qemu-guest-agent")
    assert tree.image == ImageOptions(size=3 << 30, formats=("raw",))
    assert (tree.name, tree.summary, tree.ref) == ("house", "For the rack", "house/trixie/amd64/server")
    assert tree.metadata == (("team", "atomic"),)
    assert (tree.recommends, tree.components, tree.remote) == (False, ("main",), ("", ""))


def test_an_architecture_gets_only_its_own_part(tmp_path: Path) -> None:
    tree = treefile.resolve(treefile.load(written(tmp_path, GOOD)), "server", "arm64")
    assert "linux-image-cloud-amd64" not in tree.packages
    assert "qemu-guest-agent" not in tree.packages


def test_equal_content_has_equal_digests_wherever_it_is_written(tmp_path: Path) -> None:
    one, two = written(tmp_path / "a", GOOD), written(tmp_path / "b", "# a remark\n" + GOOD)
    digests = [treefile.resolve(treefile.load(path), "minimal", "amd64").digest for path in (one, two)]
    assert digests[0] == digests[1]
    assert digests[0] != treefile.resolve(treefile.load(one), "server", "amd64").digest


def test_includes_come_first_and_know_their_lines(tmp_path: Path) -> None:
    part = "suite: bookworm\npackages:\n  - apt\n  - dpkg\nunits: {enable: [a.service]}\n"
    written(tmp_path, part, "parts/base.yaml")
    text = "include: parts/base.yaml\nsuite: trixie\nunits: {enable: [b.service]}\n"
    path = written(tmp_path, text + "architectures: {amd64: {}}\nvariants: {v: }\n")
    tree = treefile.resolve(treefile.load(path), "v", "amd64")
    assert (tree.suite, tree.enable) == ("trixie", ("a.service", "b.service"))
    assert marks.place_of(tree.packages[1]) == "parts/base.yaml:4"


def test_the_treefile_we_ship_is_good() -> None:
    content = treefile.load(HOUSE)
    assert treefile.variants(content)["minimal"]
    tree = treefile.resolve(content, "minimal", "amd64")
    assert tree.ref == "debatomic/trixie/amd64/minimal"
    assert {"ostree-boot", "dracut", "linux-image-cloud-amd64"} <= set(tree.packages)


@pytest.mark.parametrize(("text", "sentence"), [
    ("suite: trixie\npakages: [a]\n", "house.yaml:2: unknown key pakages; did you mean packages?"),
    ("suite: trixie\nzzz: 1\n", "house.yaml:2: unknown key zzz."),
    ("suite: trixie\n\npackages: ssh\n", "house.yaml:3: packages must be a list, not text."),
    ("image:\n  size: 12\n", "house.yaml:2: size must be text, not a number."),
    ("image:\n  size: 12 apples\n", "house.yaml:2: size: 12 apples is not a size such as 1500M or 3G, or auto."),
    ("image:\n  formats: [raw]\n  firmware: [bois]\n", "firmware can be bios or uefi, not bois; did you mean bios?"),
    ("image:\n  formats:\n    - ova\n", "formats can be raw, qcow2, vmdk, vhd, iso, tar or oci, not ova."),
    ("image: {iso: {disk: sda}}\n", "house.yaml:1: disk: sda is not auto, or the name of a disk such as /dev/sda."),
    ("image: {iso: {start: now}}\n", "house.yaml:1: start can be live or install, not now."),
    ("image: {formats: [raw, qcow]}\n", "not qcow; did you mean qcow2?"),
    ("container: {compression: gz}\n", "house.yaml:1: compression can be zstd or gzip, not gz."),
    ("container:\n  layers: 500\n", "house.yaml:2: layers: 500 is not a number of layers, 12 to 127."),
    ("packages:\n  - good\n  - 'b a d'\n", "house.yaml:3: packages: b a d is not the name of a Debian pack"),
    ("kargs:\n  - 'a b'\n", "house.yaml:2: kargs: a b is not one kernel argument without spaces or quotes."),
    ("units:\n  enable: [ssh]\n", "is not the name of a systemd unit with its ending, such as ssh.service."),
    ("variants:\n  v:\n    pakages: [a]\n", "house.yaml:3: unknown key pakages; did you mean packages?"),
    ("repositories:\n  - name: own\n    suite: s\n    key: k\n", "house.yaml:1: repositories lacks the key uri."),
    ("suite: trixie\nsuite: forky\n", "house.yaml:2: the key suite is there twice."),
    ("packages: [a\n", "this is not valid YAML"),
    ("packages: &a [b]\nexclude: *a\n", "house.yaml:2: this is not valid YAML: an alias (*) is not understood here."),
    ("- a\n- b\n", "house.yaml:1: the treefile must be a mapping, not a list."),
    ("", "house.yaml:1: the treefile must be a mapping, not empty."),
    ("include: ../other.yaml\n", "is not a relative path of a file beside or below this one, or a list of them."),
    ("suite: trixie\ninclude: other.yaml\n", "house.yaml:2: there is no file other.yaml to include."),
    ("a: 1\n? [b]\n: 2\n", "house.yaml:2: a key must be a plain word."),
])  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        treefile.load(written(tmp_path, text))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(("variant", "architecture", "sentence"), [
    ("desktop", "amd64", "house has no variant desktop; it has minimal, server, round, about."),
    ("minimal", "riscv64", "house is not written for architecture riscv64; it knows amd64, arm64."),
    ("round", "amd64", "variants inherit in a circle: round → about → round."),
])  # fmt: skip
def test_what_cannot_be_resolved_is_said(tmp_path: Path, variant: str, architecture: str, sentence: str) -> None:
    content = treefile.load(written(tmp_path, GOOD))
    with pytest.raises(InputError) as caught:
        treefile.resolve(content, variant, architecture)
    assert sentence in str(caught.value)


def test_an_include_that_goes_round_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "include: house.yaml\n", "parts.yaml")
    with pytest.raises(InputError, match=r"parts\.yaml:1: .*circle: house\.yaml → parts\.yaml → house\.yaml"):
        treefile.load(written(tmp_path, "include: parts.yaml\n"))


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    secret = written(tmp_path / "elsewhere", "suite: trixie\n", "secret.yaml")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/part.yaml").symlink_to(secret)
    with pytest.raises(InputError, match="leads out of the folder of the treefile"):
        treefile.load(written(tmp_path / "tree", "include: part.yaml\n"))


@pytest.mark.parametrize("ref", ["x/{suit}", "x/{", "{variant.__class__}"])
def test_a_ref_may_use_only_known_words(tmp_path: Path, ref: str) -> None:
    text = f"suite: trixie\nref: '{ref}'\narchitectures: {{amd64: }}\nvariants: {{v: }}\n"
    with pytest.raises(InputError, match="ref"):
        treefile.resolve(treefile.load(written(tmp_path, text)), "v", "amd64")


def test_lacking_a_suite_is_said(tmp_path: Path) -> None:
    content = treefile.load(written(tmp_path, "architectures: {amd64: }\nvariants: {v: }\n"))
    with pytest.raises(InputError, match="lacks the key suite"):
        treefile.resolve(content, "v", "amd64")


def test_the_part_with_bootc_is_good(tmp_path: Path) -> None:
    shutil.copytree(HOUSE.parent / "common", tmp_path / "common")
    include = "include: [common/variants.yaml, common/groups-trixie.yaml, common/bootc.yaml]\nsuite: trixie\n"
    tree = treefile.resolve(treefile.load(written(tmp_path, include)), "minimal", "amd64")
    assert {"bootc", "bootupd", "apt-ostree", "openssh-server"} <= set(tree.packages)
    assert tree.repositories[0].uri == "https://packages.example.org/debian"
