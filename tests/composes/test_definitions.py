"""Treefiles on disk become revisions, once per content."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from composes.defining.definitions import import_files, import_folder, write_files
from composes.models import Definition, Revision
from debatomic.tools.errors import InputError

pytestmark = pytest.mark.django_db

SHIPPED = Path(__file__).resolve().parents[2] / "composes" / "definitions"


def test_the_same_text_is_one_revision_and_a_changed_one_is_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "definitions"
    shutil.copytree(SHIPPED, folder)
    other, first = import_folder(folder)
    assert import_folder(folder) == [other, first]
    main = folder / "debian-atomic.yaml"
    main.write_text(main.read_text() + "\n# a remark\n")
    same, second = import_folder(folder)

    assert (first.number, second.number) == (1, 2)
    assert same == other, "what it does not include does not change it"
    assert set(second.files) == {"debian-atomic.yaml", *(f"common/{name}.yaml" for name in (
        "boot", "groups", "groups-trixie", "variants"))}  # fmt: skip
    assert second.definition.latest == second
    assert second.variants["minimal"]["architectures"] == ["amd64"]


def test_a_wrong_treefile_is_refused_with_its_line_and_nothing_is_imported(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("name: good\nsuite: trixie\narchitectures: {amd64: {}}\nvariants: {a: {}}\n")
    (tmp_path / "late.yaml").write_text("name: late\nsuite: trixie\npakages: [bash]\n")
    with pytest.raises(InputError, match=r"late\.yaml:3.*pakages"):
        import_folder(tmp_path)
    assert not Definition.objects.exists()


@pytest.mark.parametrize("name", ["../outside.yaml", "/etc/outside.yaml", "a/../../outside.yaml"])
def test_a_file_name_cannot_lead_out_of_the_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "in" / "side"
    folder.mkdir(parents=True)
    with pytest.raises(InputError, match="leads out of its folder"):
        write_files({name: "x"}, folder)
    assert not Revision.objects.exists()


def test_a_revision_holds_the_scripts_that_test_it() -> None:
    files = {"main.yaml": "name: small\nsuite: trixie\narchitectures: {amd64: {}}\ntests: {a: {file: t/a.sh}}\n"
                          "variants: {tiny: {}}\n", "t/a.sh": "true\n"}  # fmt: skip
    assert import_files(files, "main.yaml").files == files
    with pytest.raises(InputError, match=r"main\.yaml:4: there is no file t/a\.sh"):
        import_files({"main.yaml": files["main.yaml"]}, "main.yaml")


def test_a_revision_holds_what_its_treefile_includes() -> None:
    files = {"main.yaml": "name: small\ninclude: parts/base.yaml\nvariants: {tiny: {summary: Tiny}}\n",
             "parts/base.yaml": "suite: trixie\narchitectures: {amd64: {}}\n"}  # fmt: skip
    revision = import_files(files, "main.yaml")
    assert revision.variants == {"tiny": {"title": "Tiny", "architectures": ["amd64"]}}
