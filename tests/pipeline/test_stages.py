"""The pipeline as data: its stages and the schemas of their options."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from chroots.engine.state import State
from composes.pipeline import cli, graph
from composes.pipeline.graph import Stage
from composes.pipeline.job import Order
from composes.pipeline.packages.lock import Lock
from composes.pipeline.pipeline import STAGES
from composes.pipeline.treefiles import options, treefile
from composes.pipeline.treefiles.treefile import Repository
from debatomic.tools.errors import Kind, ToolError

HOUSE = Path(__file__).parents[2] / "composes/definitions/debian-atomic.yaml"
LOCK = Lock(suite="trixie", architecture="amd64", debian_version="13.1", date=1, packages=(), releases={})


@pytest.fixture
def order(tmp_path: Path) -> Order:
    tree = treefile.resolve(treefile.load(HOUSE), "minimal", "amd64")
    tree = replace(tree, repositories=(Repository(name="own", uri="http://archive.example.org", suite="own"),),
                   metadata=(("team", "tests"),))  # fmt: skip
    return Order(tree=tree, state=State(tmp_path), output=tmp_path, mirror="", keyring=tmp_path)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_every_option_of_a_stage_is_in_its_schema_and_fits(stage: Stage, order: Order) -> None:
    Draft202012Validator.check_schema(stage.schema)
    for one in (order, replace(order, lock=LOCK)):
        if stage.wanted(one):
            given = json.loads(json.dumps(stage.options(one)))
            assert given.keys() <= stage.schema["properties"].keys()
            options.check(stage.name, given, stage.schema)


@pytest.mark.parametrize(("name", "wrong"), [
    ("gather", {"packages": "jq"}), ("gather", {"recommends": "yes"}),
    ("gather", {"repositories": [{"priority": "x"}]}),
    ("commit", {"respin": -1}), ("commit", {"previous": "x"}), ("commit", {"metadata": [["only"]]}),
    ("disk", {"firmware": ["coreboot"]}), ("boot-bios", {"memory": None}),
])  # fmt: skip
def test_options_that_do_not_fit_are_refused(name: str, wrong: graph.Facts) -> None:
    stage = next(each for each in STAGES if each.name == name)
    with pytest.raises(ToolError, match=f"The options of the stage {name} are wrong: {next(iter(wrong))}") as caught:
        graph.identity(stage, wrong, {}, "")
    assert caught.value.kind == Kind.INTERNAL


def test_the_stages_are_printed_as_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["stages"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert tuple(printed["phases"]) == graph.PHASES
    found = {each["name"]: each for each in printed["stages"]}
    assert (found["gather"]["needs"], found["gather"]["kept"]) == (["releases"], True)
    assert found["releases"]["kept"] is False
    assert found["gather"]["options"]["properties"]["packages"] == {"type": "array", "items": {"type": "string"}}
    assert found["disk"]["options"]["properties"]["remote"]["maxItems"] == 2
