"""Verdicts and policies: what blocks, what warns, what cannot be said."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from composes.pipeline.gating import gates, policies
from composes.pipeline.gating.gates import Verdict
from composes.pipeline.gating.policies import Made
from composes.pipeline.graph import Deliverable, Result
from composes.pipeline.machines.proof import BEGIN, END, WORD, read_proof
from composes.pipeline.machines.selftest import read_runs, run
from composes.pipeline.packages.lock import Lock, Package
from composes.pipeline.treefiles.checks import Checks, Policies, Script
from debatomic.tools.errors import CommandFailed, InputError, Kind, TimedOut, ToolError

MIB = 1 << 20


@pytest.mark.parametrize(("level", "verdict", "blocks"), [("block", "failed", True), ("warn", "warned", False)])
def test_a_no_blocks_or_warns_as_the_treefile_says(level: str, verdict: str, blocks: bool) -> None:
    said = gates.refused("boot-uefi", Checks(levels=(("boot", level),)), "It does not boot.", 12.34, ["a"])
    assert (said.verdict, said.level, said.blocks, said.seconds) == (verdict, level, blocks, 12.3)


def test_gates_block_unless_the_treefile_says_otherwise() -> None:
    assert gates.refused("upgrade", Checks(), "No.").blocks


def test_the_first_that_blocks_is_the_reason() -> None:
    said = [gates.passed("lint", Checks(), "Well."), gates.refused("tests", Checks(), "1 of 2 failed.", details=["x"]),
            gates.refused("upgrade", Checks(), "No.")]  # fmt: skip
    error = gates.blocked(said)
    assert error
    assert str(error) == "The gate tests blocks: 1 of 2 failed. (1 more gates block, too.)"
    assert error.lines == ("x",)
    assert gates.blocked(said[:1]) is None


@pytest.mark.parametrize(("error", "no"), [
    (ToolError("It panics."), True), (TimedOut("Too long.", kind=Kind.TIMEOUT), True), (InputError("Wrong."), False),
    (ToolError("QEMU ended.", kind=Kind.INFRASTRUCTURE), False), (ToolError("Full.", kind=Kind.DISK), False),
    (CommandFailed(["zstd"], 1), False),
])  # fmt: skip
def test_only_what_a_gate_saw_is_a_verdict(error: ToolError, no: bool) -> None:
    assert gates.says_no(error) is no


def package(name: str, origin: str = "debian") -> Package:
    return Package(name=name, version="1", architecture="amd64", sha256="0" * 64, size=1, source=name, origin=origin,
                   uri="http://mirror.example.org/a.deb")  # fmt: skip


def made(folder: Path, *, upgrade: dict[str, Any] | None = None, vulnerabilities: Any = None) -> Made:
    """A compose of a few packages, one of no archive, with a disk of 100 MiB and a tree of 2."""
    (folder / "tree").mkdir()
    (folder / "tree/file").write_bytes(b"x" * 2 * MIB)
    packages = (package("apt"), package("telnetd"), package("ours", "uploads"))
    Lock(suite="trixie", architecture="amd64", debian_version="13", date=1, packages=packages,
         releases={"debian": "0" * 64}).write(folder / "lock.json")  # fmt: skip
    facts: dict[str, dict[str, Any]] = {"gather": {}, "rootfs": {}, "disk": {"size": 100 * MIB}}
    results = {name: Result(stage=name, phase="image", identity=name, folder=folder, facts=each, seconds=0,
                            reused=False) for name, each in facts.items()}  # fmt: skip
    deliverables = []
    if vulnerabilities is not None:
        (folder / "vulnerabilities.json").write_text(json.dumps(vulnerabilities))
        deliverables.append(Deliverable(name="v", kind="vulnerabilities", path="vulnerabilities.json", sha256="",
                                        size=1, facts={}))  # fmt: skip
    return Made(results=results, facts={"upgrade": upgrade or {}}, deliverables=deliverables, output=folder)


def judged(made: Made, *levels: tuple[str, str], **said: Any) -> list[Verdict]:
    return list(policies.judged(Checks(policies=Policies(**said), levels=levels), made))


@pytest.mark.parametrize(("said", "verdict", "sentence"), [
    ({"maximum_image_size": 100 * MIB}, "passed", "The image takes 100.0 MiB of at most 100 MiB."),
    ({"maximum_image_size": 99 * MIB}, "failed", "The image takes 100.0 MiB, which is more than 99 MiB."),
    ({"maximum_tree_size": 3 * MIB}, "passed", "The tree takes 2.0 MiB of at most 3 MiB."),
    ({"maximum_tree_size": 1 * MIB}, "failed", "The tree takes 2.0 MiB, which is more than 1 MiB."),
    ({"maximum_update_size": 1 * MIB}, "skipped", "No machine was upgraded, so nothing was downloaded."),
    ({"forbidden_packages": ("telnet*",)}, "failed", "It contains what the policy forbids: telnetd 1."),
    ({"forbidden_packages": ("rsh*",)}, "passed", "None of 3 packages is forbidden."),
    ({"signed_sources": True}, "failed", "1 packages come from no signed repository: ours 1 from uploads."),
    ({"no_critical_vulnerabilities": True}, "skipped", "There is no list of known vulnerabilities."),
])  # fmt: skip
def test_a_policy_is_judged(tmp_path: Path, said: dict[str, Any], verdict: str, sentence: str) -> None:
    (found,) = judged(made(tmp_path), **said)
    assert (found.verdict, found.sentence) == (verdict, sentence)


def test_what_an_upgrade_downloaded_is_its_size(tmp_path: Path) -> None:
    (found,) = judged(made(tmp_path, upgrade={"bytes": 5 * MIB}), maximum_update_size=4 * MIB)
    assert found.sentence == "The upgrade downloaded 5.0 MiB, which is more than 4 MiB."


@pytest.mark.parametrize(("asked", "urgency", "status", "verdict", "sentence"), [
    (True, "high", "open", "failed", "1 critical vulnerabilities are known: CVE-2026-1 in apt."),
    (True, "high", "undetermined", "passed", "No critical vulnerability is known."),
    (True, "medium", "open", "passed", "No critical vulnerability is known."),
    (False, "high", "open", "skipped", "The known vulnerabilities could not be asked for: No network."),
])  # fmt: skip
def test_critical_vulnerabilities_block(
    tmp_path: Path, asked: bool, urgency: str, status: str, verdict: str, sentence: str
) -> None:
    rows = [{"id": "CVE-2026-1", "source": "apt", "urgency": urgency, "status": status}]
    listed = {"asked": asked, "reason": "" if asked else "No network.", "vulnerabilities": rows}
    (found,) = judged(made(tmp_path, vulnerabilities=listed), no_critical_vulnerabilities=True)
    assert (found.verdict, found.sentence) == (verdict, sentence)


def test_without_policies_nothing_is_judged_and_off_is_off(tmp_path: Path) -> None:
    compose = made(tmp_path)
    assert judged(compose) == []
    assert judged(compose, ("signed-sources", "off"), signed_sources=True) == []
    (warned,) = judged(compose, ("signed-sources", "warn"), signed_sources=True)
    assert warned.verdict == "warned"


TESTS = (Script(name="ssh", script="x"), Script(name="slow", script="x", time_limit=2), Script(name="last", script="x"))


def test_what_each_script_said_is_its_own() -> None:
    said = ["test ssh", "| active", "| test slow", "| ended 0 0", "ended 0 1", "test slow", "ended 124 2", "test last",
            "| half"]  # fmt: skip
    runs = read_runs(said, TESTS)
    assert [(each.name, each.ok, each.sentence) for each in runs] == [
        ("ssh", True, "passed"), ("slow", False, "took longer than 2 s"), ("last", False, "did not end")]  # fmt: skip
    assert runs[0].output == ("active", "test slow", "ended 0 0")


def test_scripts_are_read_from_the_console_to_their_end() -> None:
    said = ["state: running", "[time]", "5 s", "[tests]", "test ssh", "", "| active", "", "ended 0 3", "test slow",
            "| [failed]", "ended 0 1", "test last", "ended 1 0"]  # fmt: skip
    proof = read_proof("\n".join([BEGIN, *(f"{WORD} {line}" for line in said), END]))
    assert proof
    assert [(each.ok, each.seconds) for each in read_runs(proof.tests, TESTS)] == [(True, 3), (True, 1), (False, 0)]
    assert proof.failed == ()


def test_the_scripts_run_as_they_would_in_the_machine(tmp_path: Path) -> None:
    scripts = ("echo one; echo '[failed]'; exit 0", "echo two >&2; sleep 9", "printf three; exit 3")
    tests = [
        Script(name=f"t{number}", script=text, time_limit=1 if "sleep" in text else 30)
        for number, text in enumerate(scripts)
    ]
    for number, test in enumerate(tests):
        (tmp_path / f"{number}.sh").write_text(test.script)
    script = run(tests).replace("/run/debatomic-tests", str(tmp_path))
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    found = read_runs([line for line in said.splitlines() if line.strip()], tests)
    assert [(each.sentence, each.output[0]) for each in found] == [
        ("passed", "one"), ("took longer than 1 s", "two"), ("ended with status 3", "three")]  # fmt: skip
