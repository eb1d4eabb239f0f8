"""The command line: what is wrong is said before anything is begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from composes.pipeline import cli

HOUSE = str(Path(__file__).parents[2] / "composes/definitions/debian-atomic.yaml")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_check_lists_what_a_treefile_makes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", HOUSE]) == 0
    assert "minimal for amd64: trixie, " in capsys.readouterr().out


RUN = ["run", HOUSE, "--output", "OUT", "--variant"]


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["check", "nowhere.yaml"], "There is no file nowhere.yaml."),
    (["show", HOUSE, "--variant", "desktop"], "debian-atomic has no variant desktop; it has minimal"),
    ([*RUN, "desktop"], "debian-atomic has no variant desktop; it has minimal"),
    ([*RUN, "minimal", "--architecture", "mips"], "debian-atomic is not written for architecture mips; it knows"),
    ([*RUN, "minimal", "--skip", "tests"], "There is no phase or deliverable tests; there are"),
    ([*RUN, "minimal", "--lock", "none.json"], "There is no lock file none.json."),
    (["export-repo", "--from", "OUT", "--to", "OUT/x.tar"], "OUT is not an OSTree repository."),
])  # fmt: skip
@pytest.mark.usefixtures("elsewhere")
def test_what_is_wrong_is_the_last_line(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 1
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith(sentence)
    assert not (tmp_path / "OUT").exists()


def test_a_treefile_that_is_wrong_is_named_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "house.yaml").write_text("suite: trixie\nvariant: {minimal: }\n")
    assert cli.main(["check", str(tmp_path / "house.yaml")]) == 1
    assert capsys.readouterr().err == "house.yaml:2: unknown key variant; did you mean variants?\n"


@pytest.mark.parametrize("option", ["--store-gib=0", "--store-days=-1", "--store-gib=nan"])
def test_a_wrong_limit_is_said(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*RUN, "minimal", option]) == 1
    assert capsys.readouterr().err == "--store-gib and --store-days must be above 0.\n"
