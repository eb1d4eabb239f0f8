"""Package groups that follow the archive's tasks and metapackages."""

from __future__ import annotations

from pathlib import Path

import pytest

from composes.pipeline.treefiles import comps
from debatomic.tools.errors import InputError

LIST = """\
Package: gnome-core
Depends: gdm3 (>= 48), evince (>= 48) | papers, totem | showtime (>= 42), nautilus:any, lost
Recommends: games

Package: task-laptop
Depends: tasksel (= 3.81), anacron
Recommends: bluetooth, powertop

Package: tasksel

""" + "\n".join(
    f"Package: {name}\n" for name in ("anacron", "bluetooth", "gdm3", "nautilus", "papers", "showtime", "totem")
)
FILE = """\
# Ours.
# By hand and from the archive.
package-groups:
  desk: {summary: A desk, metapackage: gnome-core, packages: [evince, gdm3]}
  laptop: {task: laptop}
  own: {packages: [jq]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "groups.yaml"
    path.write_text(FILE)
    return path


def test_the_first_alternative_there_is_is_taken(file: Path) -> None:
    new = comps.synchronised(comps.read(file), LIST)
    assert new["desk"]["packages"] == ["gdm3", "nautilus", "papers", "totem"]
    assert new["laptop"]["packages"] == ["anacron", "bluetooth"]
    assert new["own"] == {"packages": ["jq"]}


def test_the_difference_is_told_before_it_is_taken_and_is_gone_then(file: Path) -> None:
    old = comps.read(file)
    new = comps.synchronised(old, LIST)
    assert list(comps.differences(old, new)) == [
        "- desk: evince", "+ desk: nautilus", "+ desk: papers", "+ desk: totem", "+ laptop: anacron",
        "+ laptop: bluetooth",
    ]  # fmt: skip
    assert file.read_text() == FILE
    comps.write(file, new)
    assert file.read_text().startswith("# Ours.\n# By hand and from the archive.\npackage-groups:\n")
    written = comps.read(file)
    assert not list(comps.differences(written, comps.synchronised(written, LIST)))


@pytest.mark.parametrize(("text", "sentence"), [
    ("package-groups: {a: {metapackage: gnome-cor}}\n", "g.yaml:1: the archive has no package gnome-cor; did"),
    ("package-groups: {a: {task: lapto}}\n", "g.yaml:1: the archive has no package task-lapto; did you mean "),
    ("package-groups: {}\nsuite: trixie\n", "g.yaml:2: the key suite is here, but a file of groups"),
    ("package-groups: {a: {tsk: x}}\n", "g.yaml:1: unknown key tsk; did you mean task?"),
])  # fmt: skip
def test_what_cannot_be_followed_is_told_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "g.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        comps.synchronised(comps.read(path), LIST)
    assert str(caught.value).startswith(sentence)
