"""Stages that are gates: what their end means for the run, and the list of all verdicts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from chroots.engine.state import State
from composes.pipeline.gating import verdicts
from composes.pipeline.gating.gates import GateFailed
from composes.pipeline.graph import Facts, Stage
from composes.pipeline.job import Job, Log, Order
from composes.pipeline.pipeline import Compose
from composes.pipeline.tools import Tools
from composes.pipeline.treefiles import treefile
from debatomic.tools.errors import Kind, ToolError
from debatomic.tools.progress import Progress

TREEFILE = """\
name: small
suite: trixie
architectures: {amd64: {}}
tests: {ssh: "true"}
variants: {plain: {}, lenient: {gates: {boot: warn, upgrade: off}}}
"""
BOOTED = {"seconds": 61.0, "state": "running", "failed": [], "tests": [{"name": "ssh", "seconds": 2.0}]}


def compose(folder: Path, variant: str = "plain") -> Compose:
    (folder / "small.yaml").write_text(TREEFILE)
    tree = treefile.resolve(treefile.load(folder / "small.yaml"), variant, "amd64")
    order = Order(tree=tree, state=State(folder / "state"), output=folder, mirror="", keyring=folder)
    return Compose(order, Log(), Progress(1), store_limit=1)


def attempt(run: Compose, name: str, make: Callable[[Job], Facts], gate: str = "") -> None:
    tools = Tools(root=Path("/"), identity="", log=lambda _: None)
    stage = Stage(name=name, phase="test", make=make, stored=False, gate=gate)
    with ExitStack() as stack:
        run.attempt(stage, tools, stack.enter_context(run.store.scratch()), stack)


def says(facts: Facts) -> Callable[[Job], Facts]:
    return lambda job: facts


def refuses(error: ToolError) -> Callable[[Job], Facts]:
    def make(job: Job) -> Facts:
        (job.order.output / "serial-bios.log").write_text("panic\n")
        raise error

    return make


def told(run: Compose) -> dict[str, str]:
    return {each.name: each.verdict for each in verdicts.of(run)}


def test_a_gate_that_says_no_lets_the_others_be_asked(tmp_path: Path) -> None:
    run = compose(tmp_path)
    attempt(run, "rootfs", says({"lint": [{"rule": "utf8", "fatal": True, "details": ["a name"]}]}))
    attempt(run, "container", says({"rules": []}), gate="container")
    attempt(run, "boot-bios", refuses(ToolError("It panics.", lines=["panic"])), gate="boot-bios")
    attempt(run, "boot-uefi", says(BOOTED), gate="boot-uefi")
    no = dict.fromkeys(("lint", "boot-bios"), "failed") | dict.fromkeys(("tests", "upgrade"), "skipped")
    assert told(run) == {**no, "container": "passed", "boot-uefi": "passed"}
    assert [(each.name, each.kind) for each in run.deliverables] == [("serial-bios.log", "serial-log")]


def test_scripts_that_fail_leave_the_boot_proved(tmp_path: Path) -> None:
    run = compose(tmp_path)
    no = GateFailed("1 of 1 tests failed; ssh ended with status 1.", gate="tests", facts=BOOTED, lines=["ssh: dead"])
    attempt(run, "boot-bios", refuses(no), gate="boot-bios")
    assert told(run) == {"boot-bios": "passed", "tests": "failed", "upgrade": "skipped"}


def test_what_is_lenient_warns_and_what_is_off_is_not_there(tmp_path: Path) -> None:
    run = compose(tmp_path, "lenient")
    attempt(run, "boot-bios", refuses(ToolError("Too slow.", kind=Kind.TIMEOUT)), gate="boot-bios")
    assert told(run) == {"boot-bios": "warned", "tests": "skipped"}


@pytest.mark.parametrize(("gate", "kind"), [("boot-bios", Kind.INFRASTRUCTURE), ("", Kind.BUILD)])
def test_any_other_failure_ends_the_run(tmp_path: Path, gate: str, kind: Kind) -> None:
    with pytest.raises(ToolError, match="QEMU ended"):
        attempt(compose(tmp_path), "boot-bios", refuses(ToolError("QEMU ended.", kind=kind)), gate=gate)


def test_an_upgrade_that_passed_says_what_it_did(tmp_path: Path) -> None:
    run = compose(tmp_path)
    facts: dict[str, Any] = {"from": {"version": "13.0"}, "steps": [{}] * 4, "bytes": 3 << 20, "files": 12,
                             "seconds": 244.0}  # fmt: skip
    attempt(run, "upgrade", says(facts), gate="upgrade")
    said = verdicts.of(run)[-1]
    assert (said.verdict, said.seconds) == ("passed", 244.0)
    assert said.sentence.startswith("Upgraded from 13.0, rolled back and rebased, 4 boots; 3.0 MiB in 12 files")
