"""The image before this one upgraded to the new commit, rolled back and moved to another ref, booting each time."""

from __future__ import annotations

import functools
import shlex
import shutil
from pathlib import Path
from typing import Any

from composes.pipeline.delivery import delivered
from composes.pipeline.gating import gates
from composes.pipeline.gating.gates import GateFailed
from composes.pipeline.graph import Deliverable, Facts, Result, Stage
from composes.pipeline.job import Job, Order
from composes.pipeline.machines import first_boot, journey, previous
from composes.pipeline.machines.candidate import Served, candidate, served
from composes.pipeline.machines.guide import Guide, picture_of
from composes.pipeline.machines.journey import Step
from composes.pipeline.machines.kvm import accelerator
from composes.pipeline.machines.machine import MachineSpec, Monitor, last_lines, qemu_command
from composes.pipeline.machines.previous import Previous
from composes.pipeline.store import remove_tree
from composes.pipeline.treefiles.options import COMMIT, COUNT, DIGEST, TEXT, takes
from debatomic.tools.errors import CommandFailed, Kind, ToolError
from debatomic.tools.files import whole

REMOTE = "debatomic-gate"
OTHER_REF = "debatomic-gate/rebase"
STEP = 1.5  # times as long as a boot may take: a step downloads and shuts down, too
PATIENT = "n=0; until {command}; do n=$((n+1)); [ $n -lt 12 ] || exit 1; sleep 5; done"  # the network may come late


def wanted(order: Order) -> bool:
    fits = order.previous is not None and order.previous.ref == order.tree.ref
    return fits and not gates.switched_off("upgrade", order.tree.checks)


def options(order: Order) -> Facts:
    assert order.previous
    return {"memory": order.memory, "firmware": firmware(order), "first_boot": order.tree.first_boot,
            **order.previous.facts}  # fmt: skip


def firmware(order: Order) -> str:
    return order.tree.image.firmware[0]


def make(job: Job) -> Facts:
    """Leaves `serial.log` and a `console-N.png` for each step; GateFailed unless every boot was the right one."""
    before = job.order.previous
    assert before
    disk, disk_format = previous.unpacked(before.disk, job.folder)
    repo, other = candidate(job, job.tree.ref, OTHER_REF)
    with served(repo.path, job.folder) as serving, Monitor() as monitor:
        steps = _steps(job, serving.url, other)
        told = {**journey.credentials(steps), **first_boot.credentials(job.tree.first_boot)}
        spec = _machine(job, disk, disk_format, told, serving)
        job.log.line(f"Upgrading {before.identity} ({before.version}) to {steps[1].commit} with {spec.accelerator}.")
        guide = Guide(spec=spec, monitor=monitor, steps=steps, timeout=job.order.boot_timeout * STEP,
                      reached=functools.partial(_reached, job))  # fmt: skip
        try:
            _travel(job, guide)
        except ToolError as error:
            if gates.says_no(error):
                raise GateFailed(error.sentence, facts=_facts(before, guide, serving), lines=error.lines) from error
            raise
        finally:
            keep(job.folder, job.order.output)
    _tidy(job, disk)
    return _facts(before, guide, serving)


def _facts(before: Previous, guide: Guide, serving: Served) -> Facts:
    return {"from": {"identity": before.identity, "commit": before.commit, "version": before.version},
            "to": guide.steps[1].commit, "firmware": guide.spec.firmware, "accelerator": guide.spec.accelerator,
            "seconds": round(guide.seconds, 1), "files": serving.files, "bytes": serving.bytes,
            "steps": _told(guide)}  # fmt: skip


def _steps(job: Job, url: str, other: str) -> list[Step]:
    """From the old system: upgrade, go back, and move to another ref that has the same content."""
    assert job.order.previous
    old, new = job.order.previous.commit, job.inputs["commit"].facts["commit"]
    ref = shlex.quote(job.tree.ref)
    origin = f"ostree admin set-origin --set=gpg-verify=false {REMOTE} {shlex.quote(url)} {ref}"
    return [
        Step(name="start", commands=(), commit=old),
        Step(name="upgrade", commands=(origin, PATIENT.format(command="ostree admin upgrade")), commit=new),
        Step(name="rollback", commands=("ostree admin set-default 1",), commit=old),
        Step(name="rebase", commands=(PATIENT.format(command=f"ostree admin switch {REMOTE}:{OTHER_REF}"),),
             commit=other),
    ]  # fmt: skip


def _machine(job: Job, disk: Path, disk_format: str, credentials: dict[str, str], serving: Served) -> MachineSpec:
    if firmware(job.order) == "uefi":
        shutil.copyfile(job.tools.root / "usr/share/OVMF/OVMF_VARS_4M.fd", job.folder / "vars.fd")
    return MachineSpec(disk=disk, disk_format=disk_format, firmware=firmware(job.order), folder=job.folder,
                       accelerator=accelerator(job.tools, job.input("rootfs", "tree"), job.folder, job.log.line),
                       memory=job.order.memory, credentials=credentials, relay=serving.relay, reboots=True)  # fmt: skip


def _reached(job: Job, what: str, fraction: float, seconds: float) -> None:
    job.log.line(f"{seconds:7.1f} s  {what}")
    job.progress.report(fraction, f"upgrade gate: {what}")


def _travel(job: Job, guide: Guide) -> None:
    monitor = guide.monitor.theirs.fileno()
    try:
        job.tools.run(
            qemu_command(guide.spec, monitor), jailed=False, tick=guide.look, tick_seconds=0.3, pass_fds=[monitor],
            time_limit=guide.timeout * (len(guide.steps) + 1),
        )  # fmt: skip
    except CommandFailed as error:
        raise ToolError(f"QEMU ended in the step {guide.at.name}: {error}", kind=Kind.INFRASTRUCTURE,
                        lines=error.lines) from error  # fmt: skip
    guide.look()
    if len(guide.legs) < len(guide.steps):
        raise ToolError(f"The machine ended in the step {guide.at.name}.", lines=last_lines(guide.text))


def _told(guide: Guide) -> list[dict[str, Any]]:
    return [
        {"name": step.name, "commit": leg.proof.commit, "state": leg.proof.state, "failed": list(leg.proof.failed),
         "said": list(leg.said[-40:]), "status": list(leg.proof.status), "milestones": milestones,
         "seconds": round(milestones["proved"], 1)}
        for step, leg, milestones in zip(guide.steps, guide.legs, guide.seen, strict=False)
    ]  # fmt: skip


def keep(folder: Path, output: Path) -> None:
    """The console in the output folder however the gate ended."""
    for source, name in _kept(folder):
        with whole(output / name) as file:
            file.write(source.read_bytes())


def _kept(folder: Path) -> list[tuple[Path, str]]:
    found = [(folder / "serial.log", "serial-upgrade.log")]
    found += [(picture_of(folder, number), f"console-upgrade-{number + 1}.png") for number in range(4)]
    return [(source, name) for source, name in found if source.exists()]


def _tidy(job: Job, disk: Path) -> None:
    remove_tree(job.folder / "candidate")
    leftover = [disk] if disk.parent == job.folder else []
    for path in (*job.folder.glob("*.credential"), *job.folder.glob("vars.fd"), *leftover):
        path.unlink()


def deliver(order: Order, result: Result) -> list[Deliverable]:
    kinds = {".log": "serial-log", ".png": "screenshot"}
    return [delivered(order.output, source, name, kind=kinds[source.suffix], facts={"gate": "upgrade"})
            for source, name in _kept(result.folder)]  # fmt: skip


STAGE = Stage(name="upgrade", phase="test", needs=("rootfs", "commit"), options=options, make=make, wanted=wanted,
              deliver=deliver, gate="upgrade",
              schema=takes("first_boot", memory=COUNT, firmware={"enum": ["bios", "uefi"]}, commit=COMMIT, ref=TEXT,
                           disk=DIGEST))  # fmt: skip
