"""Stages: their order, their identity, and which of them a run does."""

from __future__ import annotations

import pytest

from composes.pipeline import graph
from composes.pipeline.graph import Facts, Stage
from composes.pipeline.job import Job
from composes.pipeline.pipeline import STAGES
from debatomic.tools.errors import InputError


def nothing(job: Job) -> Facts:
    return {}


def stage(name: str, phase: str, *needs: str, **more: object) -> Stage:
    return Stage(name=name, phase=phase, make=nothing, needs=needs, **more)  # type: ignore[arg-type]


CHAIN = [stage("boot", "test", "disk", "commit"), stage("disk", "image", "commit"), stage("lock", "gather"),
         stage("tree", "rootfs", "lock"), stage("commit", "ostree", "tree"), stage("archives", "init")]  # fmt: skip


def names(stages: list[Stage]) -> list[str]:
    return [each.name for each in stages]


def test_the_order_is_that_of_the_phases() -> None:
    assert names(graph.ordered(CHAIN)) == ["archives", "lock", "tree", "commit", "disk", "boot"]


def test_a_circle_is_refused() -> None:
    with pytest.raises(InputError, match="wait for each other"):
        graph.ordered([stage("a", "image", "b"), stage("b", "image", "a")])


@pytest.mark.parametrize(("only", "skip", "done"), [
    ([], [], ["archives", "lock", "tree", "commit", "disk", "boot"]),
    (["ostree"], [], ["lock", "tree", "commit"]),
    (["gather"], [], ["lock"]),
    ([], ["test"], ["archives", "lock", "tree", "commit", "disk"]),
    ([], ["ostree"], ["archives", "lock", "tree"]),
    (["image", "init"], ["test"], ["archives", "lock", "tree", "commit", "disk"]),
    (["test"], ["rootfs"], ["lock"]),
])  # fmt: skip
def test_only_and_skip(only: list[str], skip: list[str], done: list[str]) -> None:
    assert names(graph.selected(CHAIN, only, skip)) == done


def test_an_unknown_phase_is_said() -> None:
    with pytest.raises(InputError, match="There is no phase bake; the phases are init, gather"):
        graph.check_phases(["test", "bake"])


def test_identity_changes_with_everything_that_decides() -> None:
    plain = stage("disk", "image")
    one = graph.identity(plain, {"size": 1}, {"commit": "a"}, "tools-1")
    others = [
        graph.identity(plain, {"size": 2}, {"commit": "a"}, "tools-1"),
        graph.identity(plain, {"size": 1}, {"commit": "b"}, "tools-1"),
        graph.identity(plain, {"size": 1}, {"commit": "a"}, "tools-2"),
        graph.identity(stage("disk", "image", revision=2), {"size": 1}, {"commit": "a"}, "tools-1"),
        graph.identity(stage("other", "image"), {"size": 1}, {"commit": "a"}, "tools-1"),
    ]
    assert one == graph.identity(plain, {"size": 1}, {"commit": "a"}, "tools-1")
    assert len({one, *others}) == 6


def test_a_stage_without_tools_does_not_change_with_them() -> None:
    plain = stage("archives", "init", uses_tools=False)
    assert graph.identity(plain, {}, {}, "tools-1") == graph.identity(plain, {}, {}, "tools-2")


def test_our_own_stages_are_in_order_and_each_phase_has_one() -> None:
    ordered = graph.ordered(STAGES)
    assert {each.phase for each in ordered} == set(graph.PHASES)
    done = ["releases", "tracker", "gather", "tree", "rootfs", "commit", "contents", "oci", "disk", "qcow2", "vmdk",
            "vhd", "iso", "tar", "sbom", "vulnerabilities", "container", "boot-bios", "boot-uefi", "boot-iso-bios",
            "boot-iso-uefi", "upgrade"]  # fmt: skip
    assert names(ordered) == done
