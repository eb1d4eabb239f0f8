"""The gate of the ISO: what its console says, and what the installed system must be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from composes.pipeline.graph import Result
from composes.pipeline.job import Job
from composes.pipeline.machines.machine import MachineSpec, Monitor, Watcher, qemu_command
from composes.pipeline.machines.proof import Proof
from composes.pipeline.stages.boot_iso import INSTALLED, judge_installed
from composes.pipeline.treefiles import treefile
from debatomic.tools.errors import ToolError

HOUSE = Path(__file__).parents[2] / "composes/definitions/debian-atomic.yaml"
GIB = 1 << 30
GOOD = ("size 3900000000", "remote house http://repo.example.org/ostree")
ORIGIN = "    origin refspec: house:debatomic/trixie/amd64/minimal"


def proof(*tests: str, origin: str = ORIGIN) -> Proof:
    return Proof(state="running", kernel="6", commit="0d02", failed=(), mounts={}, status=("* debian 0d02.0", origin),
                 time="", tests=tests)  # fmt: skip


@pytest.fixture
def job(tmp_path: Path) -> Job:
    tree = treefile.resolve(treefile.load(HOUSE), "minimal", "amd64")
    iso = Result(stage="iso", phase="image", identity="iso-1", folder=tmp_path, facts={"virtual_size": 2 * GIB},
                 seconds=1.0, reused=False)  # fmt: skip
    parts: dict[str, Any] = {"tree": replace(tree, remote=("house", "http://repo.example.org/ostree")),
                             "inputs": {"iso": iso}}  # fmt: skip
    return cast(Job, type("Job", (), parts)())


def test_a_system_that_was_installed_well_passes(job: Job) -> None:
    judge_installed(job, proof(*GOOD), "bios")


@pytest.mark.parametrize(("said", "sentence"), [
    (proof(*GOOD, origin="    origin refspec: other:debatomic/x"), "does not follow house:debatomic/trixie/amd64/mini"),
    (proof("size 3900000000", "remote house http://elsewhere.example.org"), "has no remote house at http://repo.exam"),
    (proof("size 1900000000", GOOD[1]), "did not take the rest of the disk (uefi)"),
    (proof(GOOD[1]), "did not take the rest of the disk (uefi)"),
])  # fmt: skip
def test_a_system_that_is_not_what_was_meant_is_told(job: Job, said: Proof, sentence: str) -> None:
    with pytest.raises(ToolError) as caught:
        judge_installed(job, said, "uefi")
    assert sentence in str(caught.value)


def spec(folder: Path, **more: Any) -> MachineSpec:
    known = {"disk": None, "disk_format": "raw", "firmware": "bios", "accelerator": "tcg", "memory": 512,
             "folder": folder, "medium": folder / "disk.iso"}  # fmt: skip
    return MachineSpec(**{**known, **more})


def test_a_refusal_ends_the_trial_with_its_reason(tmp_path: Path) -> None:
    made = spec(tmp_path)
    made.serial.write_text("Linux version 6\ndebatomic: installing\ndebatomic: refused: /dev/vda is small.\n")
    watcher = Watcher(spec=made, monitor=Monitor(), timeout=60, goal=INSTALLED, pictured=True,
                      reached=lambda name, fraction, seconds: None)  # fmt: skip
    with pytest.raises(ToolError, match=r"does not install itself \(bios\): debatomic: refused: /dev/vda is small\."):
        watcher.look()
    assert list(watcher.seen) == ["kernel", "installer"]


def test_what_it_says_with_its_last_breath_counts(tmp_path: Path) -> None:
    made = spec(tmp_path)
    made.serial.write_text("Linux version 6\ndebatomic: installing\ndebatomic: writing 9 MiB\n")
    watcher = Watcher(spec=made, monitor=Monitor(), timeout=60, goal=INSTALLED, pictured=True,
                      reached=lambda name, fraction, seconds: None)  # fmt: skip
    watcher.look()
    with made.serial.open("a") as console:
        console.write("debatomic: done: /dev/vda holds it\n")
    watcher.read()
    assert watcher.seen["installed"] >= watcher.seen["writing"]


def test_the_medium_is_started_first_and_only_an_installation_is_kept(tmp_path: Path) -> None:
    assert "bootindex=1" not in " ".join(qemu_command(spec(tmp_path), 7)), "there is no disk"
    both = " ".join(qemu_command(spec(tmp_path, disk=tmp_path / "target.raw", writes=True), 7))
    assert "ide-cd,drive=medium,bootindex=0" in both
    assert "virtio-blk-pci,drive=disk,bootindex=1" in both
    assert "snapshot" not in both
    assert "snapshot=on" in " ".join(qemu_command(spec(tmp_path, disk=tmp_path / "target.raw"), 7))
