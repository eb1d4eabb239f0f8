"""The image started in a virtual machine by its own firmware path, until it proves what it is."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from composes.pipeline.delivery import delivered
from composes.pipeline.gating import gates
from composes.pipeline.gating.gates import GateFailed
from composes.pipeline.graph import Deliverable, Facts, Result, Stage
from composes.pipeline.job import Job, Order
from composes.pipeline.machines import first_boot
from composes.pipeline.machines.kvm import accelerator
from composes.pipeline.machines.machine import (
    Goal,
    MachineSpec,
    Monitor,
    Watcher,
    last_lines,
    qemu_command,
)
from composes.pipeline.machines.proof import BEGIN, Proof, credentials, read_proof
from composes.pipeline.machines.selftest import COMMAND, ScriptRun, read_runs, write_tar
from composes.pipeline.treefiles.checks import Script
from composes.pipeline.treefiles.options import COUNT, takes
from debatomic.tools.errors import CommandFailed, Kind, ToolError
from debatomic.tools.files import whole

AFTER_PROOF = 60.0  # seconds a machine may take to power off


def wanted(order: Order, firmware: str) -> bool:
    return firmware in order.tree.image.firmware and not gates.switched_off("boot", order.tree.checks)


def options(order: Order, firmware: str) -> Facts:
    tests = [asdict(each) for each in tested(order, firmware)]
    return {"memory": order.memory, "first_boot": order.tree.first_boot, **({"tests": tests} if tests else {})}


def tested(order: Order, firmware: str) -> tuple[Script, ...]:
    """The treefile's test scripts are run once, by the first firmware."""
    checks = order.tree.checks
    first = firmware == order.tree.image.firmware[0] and not gates.switched_off("tests", checks)
    return checks.tests if first else ()


def make(job: Job, firmware: str) -> Facts:
    """Leaves `serial.log` and `console.png`; raises ToolError unless the machine proved to run the commit."""
    spec = _machine(job, firmware)
    if firmware == "uefi":
        shutil.copyfile(job.tools.root / "usr/share/OVMF/OVMF_VARS_4M.fd", spec.folder / "vars.fd")
    disk = spec.disk.name if spec.disk else ""
    job.log.line(f"Booting {disk} by {firmware.upper()} with {spec.accelerator}.")
    timeout = job.order.boot_timeout + sum(each.time_limit for each in tested(job.order, firmware))
    try:
        watcher = watched(job, spec, timeout=timeout, goal=Goal())
        proof = judged(job, watcher)
    finally:
        _keep(job, spec, firmware)
    for name in ("*.credential", "vars.fd", "tests.tar", "seed.img"):
        for path in spec.folder.glob(name):
            path.unlink()
    seconds = watcher.seen.get("multi-user.target", watcher.seen["proof"])
    job.log.line(f"{firmware.upper()}: multi-user.target after {seconds:.1f} s, 0 failed units")
    runs = read_runs(proof.tests, tested(job.order, firmware))
    said: dict[str, Any] = json.loads(json.dumps({**asdict(proof), "tests": [asdict(each) for each in runs]}))
    facts = {"firmware": firmware, "accelerator": spec.accelerator, "seconds": seconds, "milestones": watcher.seen,
             "disk": disk, **said}  # fmt: skip
    _judge_tests(job, runs, facts)
    return facts


def _judge_tests(job: Job, runs: Sequence[ScriptRun], facts: Facts) -> None:
    for each in runs:
        job.log.line(f"test {each.name}: {each.sentence}, {each.seconds:.0f} s")
    if failed := [each for each in runs if not each.ok]:
        raise GateFailed(
            f"{len(failed)} of {len(runs)} tests failed; {failed[0].name} {failed[0].sentence}.", gate="tests",
            facts=facts, lines=[f"{each.name}: {line}" for each in failed for line in each.output[-20:] or ("",)],
        )  # fmt: skip


def _machine(job: Job, firmware: str) -> MachineSpec:
    """UEFI starts the qcow2 where there is one, BIOS the raw disk: so both are proved."""
    tests, data = tested(job.order, firmware), job.folder / "tests.tar"
    if tests:
        write_tar(tests, data)
    seed = job.folder / "seed.img" if job.tree.first_boot == "cloud-init" else None
    if seed:
        first_boot.write_seed(job.tools, seed)
    more = first_boot.commands(job.tree.first_boot) + (COMMAND if tests else "")
    packed = firmware == "uefi" and "qcow2" in job.inputs
    disk = job.input("qcow2", "disk.qcow2") if packed else job.input("disk", "disk.raw")
    return MachineSpec(disk=disk, disk_format="qcow2" if packed else "raw", firmware=firmware,
                       accelerator=accelerator(job.tools, job.input("rootfs", "tree"), job.folder, job.log.line),
                       memory=job.order.memory, folder=job.folder, data=data if tests else None, seed=seed,
                       credentials={**credentials(more), **first_boot.credentials(job.tree.first_boot)})  # fmt: skip


def watched(job: Job, spec: MachineSpec, *, timeout: float, goal: Goal) -> Watcher:
    """The machine run to its end. Raises ToolError when it cannot come to its goal, or not in `timeout` seconds."""

    def reached(name: str, fraction: float, seconds: float) -> None:
        job.log.line(f"{seconds:7.1f} s  {name}")
        job.progress.report(_half(spec.firmware, fraction), f"{spec.firmware.upper()}: {name}")

    with Monitor() as monitor:
        watcher = Watcher(spec=spec, monitor=monitor, timeout=timeout, reached=reached, goal=goal)
        try:
            job.tools.run(
                qemu_command(spec, monitor.theirs.fileno()), jailed=False, tick=watcher.look, tick_seconds=0.3,
                pass_fds=[monitor.theirs.fileno()], time_limit=timeout + AFTER_PROOF,
            )  # fmt: skip
        except CommandFailed as error:
            raise ToolError(f"QEMU ended while the image was booting ({spec.firmware}): {error}",
                            kind=Kind.INFRASTRUCTURE, lines=error.lines) from error  # fmt: skip
        watcher.read()
        return watcher


def _half(firmware: str, fraction: float) -> float:
    """Progress within the phase: two machines one after the other."""
    return fraction / 2 + (0.5 if firmware == "uefi" else 0.0)


def judged(job: Job, watcher: Watcher) -> Proof:
    """The proof, if it proves the right thing."""
    firmware, proof = watcher.spec.firmware, read_proof(watcher.text)
    expected = job.inputs["commit"].facts["commit"]
    if proof is None:
        part = "only half of its proof" if BEGIN in watcher.text else "no proof"
        raise ToolError(f"The machine ended with {part} of having booted ({firmware}).", lines=last_lines(watcher.text))
    if proof.commit != expected:
        raise ToolError(f"The machine booted {proof.commit or 'no commit'} instead of {expected} ({firmware}).",
                        lines=proof.status)  # fmt: skip
    if proof.failed:
        raise ToolError(f"The system booted, but {len(proof.failed)} units failed ({firmware}): {proof.failed[0]}.",
                        lines=proof.failed)  # fmt: skip
    if proof.state != "running":
        raise ToolError(f"The system booted, but it is {proof.state or 'in no state'}, not running ({firmware}).",
                        lines=proof.status)  # fmt: skip
    if "ro" not in proof.mounts.get("/usr", "").split(","):
        raise ToolError(f"The system booted, but its /usr can be written to ({firmware}).", lines=[str(proof.mounts)])
    if missing := first_boot.missing(job.tree.first_boot, proof.first_boot):
        raise ToolError(f"The system booted, but {job.tree.first_boot} did not do as it was told ({firmware}): it "
                        f"lacks {missing[0]}.", lines=proof.first_boot)  # fmt: skip
    return proof


def _keep(job: Job, spec: MachineSpec, firmware: str) -> None:
    """The console in the output folder however the boot ended."""
    for source, name in ((spec.serial, f"serial-{firmware}.log"), (spec.screenshot, f"console-{firmware}.png")):
        if source.exists():
            with whole(job.order.output / name) as file:
                file.write(source.read_bytes())


def deliver(order: Order, result: Result, firmware: str) -> list[Deliverable]:
    kept = (("serial.log", f"serial-{firmware}.log", "serial-log"),
            ("console.png", f"console-{firmware}.png", "screenshot"))  # fmt: skip
    facts = {"firmware": firmware, "seconds": result.facts["seconds"]}
    return [delivered(order.output, result.folder / source, name, kind=kind, facts=facts)
            for source, name, kind in kept if (result.folder / source).exists()]  # fmt: skip


def _stage(firmware: str) -> Stage:
    return Stage(
        name=f"boot-{firmware}", phase="test", needs=("rootfs", "commit", "disk", "qcow2"), gate=f"boot-{firmware}",
        options=functools.partial(options, firmware=firmware),
        schema=takes("first_boot", memory=COUNT, tests={"type": "array", "items": {"type": "object"}}),
        make=functools.partial(make, firmware=firmware), wanted=functools.partial(wanted, firmware=firmware),
        deliver=functools.partial(deliver, firmware=firmware),
    )  # fmt: skip


BIOS, UEFI = _stage("bios"), _stage("uefi")
