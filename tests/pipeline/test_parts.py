"""Parts of treefiles: what is taken away, what counts only under a condition, groups, and the resolved form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from composes.pipeline import cli
from composes.pipeline.treefiles import parts, shown, treefile
from composes.pipeline.treefiles.schema import TREEFILE
from composes.pipeline.treefiles.treefile import Tree
from debatomic.tools.errors import InputError

HOUSE = Path(__file__).parents[2] / "composes/definitions/debian-atomic.yaml"
GOOD = """\
suite: trixie
architectures: {amd64: {}, arm64: {kargs: [arm]}}
packages: [systemd, dracut, nano]
kargs: [quiet, splash]
image: {formats: [raw, qcow2]}
repositories:
  - {name: own, uri: "http://apt.example.org", suite: trixie}
package-groups:
  desk: {summary: A desk, packages: [gnome-core, games, firefox-esr]}
  shell: {packages: [bash, games]}
conditions:
  - if: {suite: forky, architecture: [amd64, arm64]}
    packages: [new-only]
  - unless: {variant: small}
    kargs: [big]
variants:
  small: {remove-packages: [nano], remove-kargs: ["s*"]}
  next: {suite: forky}
  desk:
    groups: [desk, shell]
    exclude: [games]
    repositories: [{name: own, uri: "http://new.example.org", suite: trixie}]
  bare: {inherits: desk, remove-groups: [desk], remove-repositories: [own], units: {enable: [a.service]}}
  back: {inherits: small, packages: [nano], image: {size: 1500M, remove-formats: [raw]}}
"""


def resolved(folder: Path, text: str, variant: str, architecture: str = "amd64") -> Tree:
    path = folder / "house.yaml"
    path.write_text(text)
    return treefile.resolve(treefile.load(path), variant, architecture)


@pytest.mark.parametrize(("variant", "architecture", "packages", "kargs"), [
    ("small", "amd64", ["systemd", "dracut"], ["quiet"]),
    ("back", "amd64", ["systemd", "dracut", "nano"], ["quiet", "big"]),
    ("next", "arm64", ["systemd", "dracut", "nano", "new-only"], ["quiet", "splash", "arm", "big"]),
    ("desk", "amd64", ["systemd", "dracut", "nano", "gnome-core", "firefox-esr", "bash"], ["quiet", "splash", "big"]),
    ("bare", "amd64", ["systemd", "dracut", "nano", "bash"], ["quiet", "splash", "big"]),
])  # fmt: skip
def test_parts_take_away_and_conditions_add(
    tmp_path: Path, variant: str, architecture: str, packages: list[str], kargs: list[str]
) -> None:
    tree = resolved(tmp_path, GOOD, variant, architecture)
    assert (list(tree.packages), list(tree.kargs)) == (packages, kargs)


def test_a_repository_takes_the_place_of_the_one_of_its_name(tmp_path: Path) -> None:
    assert [each.uri for each in resolved(tmp_path, GOOD, "desk").repositories] == ["http://new.example.org"]
    assert resolved(tmp_path, GOOD, "bare").repositories == ()


def test_an_including_file_takes_away_what_it_included(tmp_path: Path) -> None:
    (tmp_path / "common.yaml").write_text("packages: [a1, b1]\nvariants: {v: {packages: [c1]}}\n")
    text = "include: common.yaml\nsuite: trixie\nremove-packages: [a1]\narchitectures: {amd64: {}}\n"
    assert resolved(tmp_path, text + "variants: {v: {remove-packages: [b1, c1], packages: [a1]}}\n", "v").packages == (
        "a1",
    )


TOP = "suite: trixie\narchitectures: {amd64: {}}\nvariants: {v: {packages: [nano], groups: [desk]}}\n"


@pytest.mark.parametrize(("more", "sentence"), [
    ("remove-packages: [nanoo]", "house.yaml:4: remove-packages names nanoo, which no part adds; did you mean nano?"),
    ("package-groups: {desc: {}}", "house.yaml:3: there is no package group desk; did you mean desc?"),
    ("conditions: [{if: {suit: x}}]", "house.yaml:4: unknown key suit; did you mean suite?"),
    ("conditions: [{if: {suite: x}, suite: y}]", "house.yaml:4: unknown key suite"),
    ("remove-suite: [trixie]", "house.yaml:4: unknown key remove-suite"),
    ("remove-kargs: quiet", "house.yaml:4: remove-kargs must be a list, not text."),
])  # fmt: skip
def test_slips_are_told_with_their_line(tmp_path: Path, more: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        resolved(tmp_path, f"{TOP}{more}\n", "v")
    assert sentence in str(caught.value)


@pytest.mark.parametrize("variant", ["small", "next", "desk", "bare", "back"])
@pytest.mark.parametrize("form", ["yaml", "json"])
def test_the_resolved_form_is_a_treefile_of_the_same_tree(tmp_path: Path, variant: str, form: str) -> None:
    tree = resolved(tmp_path, GOOD, variant)
    path = tmp_path / f"plain.{form}"
    path.write_text(shown.text(shown.as_treefile(tree), form).replace("  ", "\t" if form == "json" else "  "))
    assert treefile.resolve(treefile.load(path), variant, "amd64").digest == tree.digest


def test_differences_are_a_line_each(tmp_path: Path) -> None:
    lines = list(shown.differences(resolved(tmp_path, GOOD, "desk"), resolved(tmp_path, GOOD, "back")))
    assert {"variant: desk → back", "- packages: gnome-core", "- exclude: games", "- kargs: splash",
            "image.size: auto → 1500M", "- image.formats: raw", "ref: house/trixie/amd64/desk → "
            "house/trixie/amd64/back"} <= set(lines)  # fmt: skip
    assert not list(shown.differences(resolved(tmp_path, GOOD, "desk"), resolved(tmp_path, GOOD, "desk")))


def test_the_command_shows_and_compares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", str(HOUSE), "--variant", "minimal", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["variants"] == {"minimal": {}}
    resolved(tmp_path, GOOD, "small")
    path = str(tmp_path / "house.yaml")
    assert cli.main(["diff", path, path, "--variant", "small", "--new-variant", "back"]) == 0
    assert "+ packages: nano\n" in capsys.readouterr().out


def test_the_schema_that_is_published_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema"]) == 0
    published = json.loads(capsys.readouterr().out)
    Draft202012Validator.check_schema(published)
    assert published == TREEFILE


WORDS = st.lists(st.sampled_from("abcde"), unique=True)


@given(WORDS, WORDS, WORDS)
def test_what_is_taken_away_and_not_added_again_is_gone(lower: list[str], taken: list[str], upper: list[str]) -> None:
    merged = parts.merge({"kargs": lower}, {"remove-kargs": taken, "kargs": upper})["kargs"]
    assert set(merged) == set(lower) - set(taken) | set(upper)
    assert len(merged) == len(set(merged))
