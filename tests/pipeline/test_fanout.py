"""What of a compose is made on its own: its parts, what each takes, and results that came from another host."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from chroots.engine.state import State
from composes.pipeline import given, parts
from composes.pipeline.given import Given
from composes.pipeline.graph import Result, Stage
from composes.pipeline.job import Order
from composes.pipeline.parts import Plan
from composes.pipeline.pipeline import STAGES
from composes.pipeline.treefiles import treefile
from composes.pipeline.treefiles.treefile import Tree
from debatomic.tools.errors import InputError, ToolError


def tree(folder: Path, image: str) -> Tree:
    (folder / "x.yaml").write_text(
        f"name: x\nsuite: trixie\narchitectures: {{amd64: {{}}}}\nvariants: {{v: {{}}}}\nimage: {image}\n"
    )
    return treefile.resolve(treefile.load(folder / "x.yaml"), "v", "amd64")


def planned(folder: Path, image: str, only: tuple[str, ...] = (), skip: tuple[str, ...] = ()) -> Plan:
    wanted = tree(folder, image)
    order = Order(tree=wanted, state=State(folder), output=folder, mirror="", keyring=folder)
    return parts.plan(wanted, [stage for stage in STAGES if stage.wanted(order)], only, skip)


ALL = "{formats: [raw, qcow2, vmdk, vhd, tar, oci], failable: [vhd, tar]}"


def test_every_format_is_a_part_with_what_looks_at_it(tmp_path: Path) -> None:
    plan = planned(tmp_path, ALL)
    found = {part.name: part for part in plan.parts}
    assert plan.parts[0].name == "tree"
    assert {"gather", "rootfs", "commit", "contents", "sbom", "vulnerabilities"} <= set(found["tree"].stages)
    assert found["raw"].stages == ("disk", "boot-bios")
    assert found["qcow2"].stages == ("qcow2", "boot-uefi")
    assert found["oci"].stages == ("oci", "container")
    assert [name for name, part in found.items() if part.failable] == ["vhd", "tar"]
    assert sorted(stage.name for stage in plan.stages) == sorted(name for part in plan.parts for name in part.stages)


@pytest.mark.parametrize(("image", "names", "bios"), [
    ("{formats: [raw]}", ["tree", "raw"], "raw"),
    ("{formats: [qcow2]}", ["tree", "qcow2"], "qcow2"),
    ("{formats: [vhd]}", ["tree", "disk", "vhd"], "disk"),
    ("{formats: [oci]}", ["tree", "disk", "oci"], "disk"),
])  # fmt: skip
def test_boots_go_with_the_disk_they_boot(tmp_path: Path, image: str, names: list[str], bios: str) -> None:
    plan = planned(tmp_path, image)
    assert sorted(part.name for part in plan.parts) == sorted(names)
    assert "boot-bios" in plan.named(bios).stages


@pytest.mark.parametrize(("gate", "speaker"), [
    ("lint", "tree"), ("no-critical-vulnerabilities", "tree"), ("upgrade", "tree"), ("tests", "raw"),
    ("boot-uefi", "qcow2"), ("container", "oci"), ("maximum-image-size", "raw"),
])  # fmt: skip
def test_each_verdict_is_said_once(tmp_path: Path, gate: str, speaker: str) -> None:
    assert planned(tmp_path, ALL).speaker(gate) == speaker


def names(stages: list[Stage]) -> list[str]:
    return [stage.name for stage in stages]


def test_a_part_takes_results_and_leaves_the_others_alone(tmp_path: Path) -> None:
    plan = planned(tmp_path, ALL)
    at_hand = ["gather", "rootfs", "commit"]
    assert names(plan.needed(plan.named("raw"), at_hand)) == ["rootfs", "commit", "disk", "boot-bios"]
    assert names(plan.needed(plan.named("qcow2"), at_hand)) == ["rootfs", "commit", "disk", "qcow2", "boot-uefi"]
    assert names(plan.needed(plan.named("vhd"), at_hand)) == ["commit", "disk", "vhd"]
    assert plan.takes(plan.named("tar"), at_hand) == ["gather", "rootfs"]
    assert names(plan.needed(plan.named("vhd"), [])) == [
        "releases", "gather", "tree", "rootfs", "commit", "disk", "vhd"]  # fmt: skip


@pytest.mark.parametrize(("only", "skip", "left"), [
    (("qcow2",), (), ["tree", "raw", "qcow2"]), ((), ("test", "oci"), ["tree", "raw", "qcow2", "vmdk", "vhd", "tar"]),
    ((), ("image", "test"), ["tree", "oci"]), (("gather",), (), ["tree"]), ((), ("raw",), ["tree", "tar", "oci"]),
])  # fmt: skip
def test_only_and_skip_know_phases_and_deliverables(
    tmp_path: Path, only: tuple[str, ...], skip: tuple[str, ...], left: list[str]
) -> None:
    parts.check_names([*only, *skip])
    assert {part.name for part in planned(tmp_path, ALL, only, skip).parts} == set(left)


def test_what_nobody_knows_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no phase or deliverable cdrom; there are init, .*, qcow2"):
        parts.check_names(["raw", "cdrom"])
    with pytest.raises(InputError, match="no part tar; it has tree, "):
        planned(tmp_path, "{formats: [raw]}").named("tar")
    with pytest.raises(InputError, match=r"x\.yaml:5"):
        tree(tmp_path, "{failable: [cdrom]}")


def result(stage: str, folder: Path, **facts: str) -> Result:
    return Result(stage=stage, phase="rootfs", identity=f"{stage}-{'a' * 32}", folder=folder, facts=facts, seconds=1,
                  reused=False)  # fmt: skip


def test_a_tree_travels_as_it_is(tmp_path: Path) -> None:
    made = tmp_path / "made/tree"
    made.mkdir(parents=True)
    (made / "file").write_text("content")
    (made / "file").chmod(0o4755)
    os.link(made / "file", made / "second")
    (made / "link").symlink_to("file")
    os.setxattr(made / "file", "user.note", b"kept")
    results = {"rootfs": result("rootfs", tmp_path / "made", kernel="6")}
    packed = given.share(results, tmp_path)
    told = {name: {**each, "archive": os.fspath(tmp_path / packed[name])} for name, each in given.told(results).items()}
    (tmp_path / "given.json").write_text(json.dumps(told))
    there = tmp_path / "there"
    there.mkdir()
    known = given.read(tmp_path / "given.json")["rootfs"]
    assert known.restore(there) == {"kernel": "6"}
    came = there / "tree/file"
    assert (came.stat().st_mode & 0o7777, came.stat().st_nlink, came.read_text()) == (0o4755, 2, "content")
    assert os.getxattr(came, "user.note") == b"kept" and (there / "tree/link").readlink() == Path("file")
    assert came.stat().st_mtime_ns // 10**9 == (made / "file").stat().st_mtime_ns // 10**9


def test_a_damaged_archive_and_another_result_are_told(tmp_path: Path) -> None:
    (tmp_path / "half").write_bytes(b"half of it")
    known = Given(stage="commit", identity=f"commit-{'a' * 32}", facts={"digest": "c" * 64}, archive=tmp_path / "half")
    with pytest.raises(ToolError, match="result of commit that another host made cannot be unpacked"):
        known.restore(tmp_path)
    with pytest.raises(ToolError, match=f"made commit {'d' * 64}, but the compose has {'c' * 64}"):
        given.same(known, result("commit", tmp_path, digest="d" * 64))
    given.same(known, result("commit", tmp_path, digest="c" * 64))


@pytest.mark.parametrize("content", [
    "[]", '{"rootfs": {}}', '{"rootfs": {"identity": "../../x", "facts": {}}}',
    '{"rootfs": {"identity": "commit-00000000000000000000000000000000", "facts": {}}}',
])  # fmt: skip
def test_a_list_of_results_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "given.json").write_text(content)
    with pytest.raises(InputError, match="lists no results of stages"):
        given.read(tmp_path / "given.json")
