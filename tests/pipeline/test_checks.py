"""What a treefile says of its gates: tests, policies, levels; and what is wrong in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from composes.pipeline.treefiles import shown, treefile
from composes.pipeline.treefiles.checks import Checks, Script
from debatomic.tools.errors import InputError

HEAD = """\
name: small
suite: trixie
architectures: {amd64: {}}
tests:
  ssh: systemctl is-active ssh.socket
  web: {file: tests/web.sh, time-limit: 90}
policies:
  maximum-image-size: 2G
  forbidden-packages: [telnetd, python2*]
gates: {upgrade: warn, tests: off}
variants:
  plain: {}
  strict:
    tests: {ssh: null, disk: "df /"}
    policies: {maximum-image-size: 1500M, signed-sources: yes, remove-forbidden-packages: [telnetd]}
    gates: {upgrade: block}
"""


def written(folder: Path, text: str = HEAD) -> Path:
    (folder / "tests").mkdir()
    (folder / "tests/web.sh").write_text("#!/bin/sh\ncurl -f localhost\n")
    (folder / "small.yaml").write_text(text)
    return folder / "small.yaml"


def checks(path: Path, variant: str) -> Checks:
    return treefile.resolve(treefile.load(path), variant, "amd64").checks


def test_variants_change_what_the_common_part_says(tmp_path: Path) -> None:
    path = written(tmp_path)
    plain, strict = checks(path, "plain"), checks(path, "strict")
    web = Script(name="web", script="#!/bin/sh\ncurl -f localhost\n", time_limit=90)
    assert plain.tests == (Script(name="ssh", script="systemctl is-active ssh.socket"), web)
    assert strict.tests == (web, Script(name="disk", script="df /"))
    assert (plain.policies.maximum_image_size, strict.policies.maximum_image_size) == (2 << 30, 1500 << 20)
    assert (plain.policies.forbidden_packages, strict.policies.forbidden_packages) == (
        ("telnetd", "python2*"), ("python2*",))  # fmt: skip
    assert (plain.policies.signed_sources, strict.policies.signed_sources) == (False, True)
    names = ("upgrade", "tests", "boot")
    assert [plain.level(name) for name in names] == ["warn", "off", "block"]
    assert [strict.level(name) for name in names] == ["block", "off", "block"]


def test_a_script_belongs_to_the_treefiles_files(tmp_path: Path) -> None:
    assert treefile.files(written(tmp_path)) == ["small.yaml", "tests/web.sh"]


@pytest.mark.parametrize("variant", ["plain", "strict"])
def test_shown_as_a_treefile_it_says_the_same(tmp_path: Path, variant: str) -> None:
    tree = treefile.resolve(treefile.load(written(tmp_path)), variant, "amd64")
    again = tmp_path / "again.yaml"
    again.write_text(shown.text(shown.as_treefile(tree), "yaml"))
    assert checks(again, variant) == tree.checks


@pytest.mark.parametrize(("more", "sentence"), [
    ("gates: {boots: warn}", "small.yaml:4: .*boots.*did you mean boot"),
    ("gates: {boot: maybe}", "small.yaml:4: .*maybe"),
    ("policies: {maximum-image-size: 2 gigabytes}", "small.yaml:4: .*a size such as 1500M or 3G"),
    ("tests: {a: {file: ../a.sh}}", "small.yaml:4: "),
    ("tests: {a: {file: gone.sh}}", "small.yaml:4: there is no file gone.sh"),
    ("tests: {a: {file: a/../../b.sh}}", "small.yaml:4: the script a/../../b.sh lies outside of the folder"),
    ("tests: {a: {time-limit: 3}}", "small.yaml:4: the test a has no script"),
    ("tests: {a: {script: x, time-limit: 0}}", "small.yaml:4: .*seconds, 1 to 3600"),
    ("tests: {'a b': x}", "small.yaml:4: "),
])  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, more: str, sentence: str) -> None:
    head = "name: small\nsuite: trixie\narchitectures: {amd64: {}}\n"
    path = written(tmp_path, f"{head}{more}\nvariants: {{plain: {{}}}}\n")
    with pytest.raises(InputError, match=sentence):
        checks(path, "plain")


def test_a_large_or_binary_script_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    (tmp_path / "tests/web.sh").write_bytes(b"#" * (65 << 10))
    with pytest.raises(InputError, match="larger than 64 KiB"):
        treefile.load(path)
    (tmp_path / "tests/web.sh").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        treefile.load(path)
