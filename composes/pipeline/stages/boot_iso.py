"""The ISO started in a virtual machine: without a disk, then to install to an empty one, which must boot by itself."""

from __future__ import annotations

import functools
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from composes.pipeline.delivery import delivered
from composes.pipeline.gating import gates
from composes.pipeline.graph import Deliverable, Facts, Result, Stage
from composes.pipeline.job import Job, Order
from composes.pipeline.machines.kvm import accelerator
from composes.pipeline.machines.machine import FATAL, MILESTONES, Goal, MachineSpec, Watcher
from composes.pipeline.machines.proof import Proof, credentials
from composes.pipeline.stages.boot import judged, watched
from composes.pipeline.treefiles.options import COUNT, TEXT, takes
from debatomic.tools.errors import ToolError
from debatomic.tools.files import whole

TARGET = "target.raw"
DONE = "debatomic: done:"
INSTALLED = Goal(
    name="install itself", end=DONE, refused="The image does not install itself",
    milestones=(*MILESTONES[:3], ("installer", re.compile("debatomic: installing"), 0.4),
                ("writing", re.compile("debatomic: writing"), 0.5), ("installed", re.compile(DONE), 0.9)),
    fatal=re.compile(rf"debatomic: (?:refused|failed)[^\n]*|{FATAL.pattern}"),
)  # fmt: skip
# What the installed system is asked beside its proof.
ASKED = (
    'echo "[tests]"; echo "size $(findmnt -bno SIZE --target /sysroot)"; ostree remote list -u | sed "s/^/remote /";'
)


@dataclass(frozen=True, kw_only=True)
class Leg:
    """One start of the machine: a sentence on its end, and how long it took until then, in seconds."""

    name: str
    sentence: str
    seconds: float
    output: tuple[str, ...] = ()
    ok: bool = True


@dataclass(kw_only=True)
class Trial:
    """The starts of one ISO by one firmware, each in a folder of its own."""

    job: Job
    firmware: str
    accelerator: str
    legs: list[Leg] = field(default_factory=list)
    names: list[str] = field(default_factory=list)  # of what was begun

    @property
    def medium(self) -> Path:
        return self.job.input("iso", "disk.iso")

    def start(self, name: str, goal: Goal, handed: Mapping[str, str], **more: Any) -> Watcher:
        """Start the machine for one leg; `handed` are credentials."""
        folder = self.job.folder / name
        folder.mkdir()
        self.names.append(name)
        spec = MachineSpec(**{"disk": None, "disk_format": "raw", "firmware": self.firmware, "folder": folder,
                              "accelerator": self.accelerator, "memory": self.job.order.memory, "credentials": handed,
                              **more})  # fmt: skip
        if self.firmware == "uefi":
            shutil.copyfile(self.job.tools.root / "usr/share/OVMF/OVMF_VARS_4M.fd", folder / "vars.fd")
        self.job.log.line(f"The ISO by {self.firmware.upper()} with {self.accelerator}: {name}.")
        return watched(self.job, spec, timeout=self.job.order.boot_timeout, goal=goal)

    def serial(self) -> bytes:
        """The consoles one after the other."""
        parts = ((name, self.job.folder / name / "serial.log") for name in self.names)
        return b"".join(f"== {name} ==\n".encode() + path.read_bytes() + b"\n" for name, path in parts if path.exists())

    def pictures(self) -> Iterator[tuple[Path, str]]:
        """The console's picture of each leg, with its name: the last one is that of the firmware."""
        for name in self.names:
            word = self.firmware if name == self.names[-1] else f"{self.firmware}-{name}"
            yield self.job.folder / name / "console.png", f"console-iso-{word}.png"


def wanted(order: Order, firmware: str) -> bool:
    image = order.tree.image
    return "iso" in image.formats and firmware in image.firmware and not gates.switched_off("iso", order.tree.checks)


def options(order: Order, firmware: str) -> Facts:
    return {"memory": order.memory, "live": starts_live(order, firmware), "start": order.tree.image.iso.start,
            **order.tree.part("remote", "ref")}  # fmt: skip


def starts_live(order: Order, firmware: str) -> bool:
    """Once, where that is what the ISO does by itself: the live system does not know by what it was started."""
    image = order.tree.image
    return image.iso.start == "live" and firmware == image.firmware[0]


def make(job: Job, firmware: str) -> Facts:
    """Leaves `serial.log` and pictures; raises ToolError unless the system ran live, was installed and ran again."""
    works = accelerator(job.tools, job.input("rootfs", "tree"), job.folder, job.log.line)
    trial = Trial(job=job, firmware=firmware, accelerator=works)
    try:
        if starts_live(job.order, firmware):
            _live(trial)
        _install(trial)
        watcher, proof = _installed(trial)
    finally:
        kept = _settle(trial)
    seconds = watcher.seen.get("multi-user.target", watcher.seen["proof"])
    said = json.loads(json.dumps({**asdict(proof), "tests": [asdict(each) for each in trial.legs]}))
    return {"firmware": firmware, "accelerator": works, "seconds": seconds, "milestones": watcher.seen,
            "disk": "disk.iso", "sentence": f"{'; '.join(each.sentence for each in trial.legs)}.",
            "kept": kept, **said}  # fmt: skip


def _live(trial: Trial) -> None:
    """From the medium alone, without a disk."""
    watcher = trial.start("live", Goal(), credentials(), medium=trial.medium)
    proof = judged(trial.job, watcher)
    took = watcher.seen.get("multi-user.target", watcher.seen["proof"])
    trial.legs.append(Leg(name="live", sentence=f"Without a disk multi-user.target after {took:.0f} s", seconds=took,
                          output=proof.status))  # fmt: skip


def _install(trial: Trial) -> None:
    """To a disk of twice the size, which nothing was written to; told to, unless it does that by itself."""
    target = trial.job.folder / TARGET
    size = 2 * int(trial.job.inputs["iso"].facts["virtual_size"])
    with target.open("wb") as file:
        file.truncate(size)
    handed = {"debatomic.disk": "auto", "debatomic.erase": "no", "debatomic.then": "poweroff"}
    if trial.job.tree.image.iso.start != "install":
        handed["debatomic.start"] = "install"
    watcher = trial.start("install", INSTALLED, handed, medium=trial.medium, disk=target, writes=True)
    if DONE not in watcher.text:
        raise ToolError(f"The machine ended before the system was installed ({trial.firmware}).",
                        lines=watcher.text.splitlines()[-20:])  # fmt: skip
    told = tuple(line for line in watcher.text.splitlines() if line.startswith("debatomic: "))
    took = watcher.seen["installed"]
    trial.legs.append(Leg(name="install", sentence=f"installed to an empty disk of {size >> 20} MiB in {took:.0f} s",
                          seconds=took, output=told))  # fmt: skip


def _installed(trial: Trial) -> tuple[Watcher, Proof]:
    """The disk alone: the commit runs, where upgrades come from is known, and the root file system has grown."""
    watcher = trial.start("installed", Goal(), credentials(ASKED), disk=trial.job.folder / TARGET)
    proof = judged(trial.job, watcher)
    judge_installed(trial.job, proof, trial.firmware)
    took = watcher.seen.get("multi-user.target", watcher.seen["proof"])
    trial.legs.append(Leg(name="installed", sentence=f"from the disk multi-user.target after {took:.0f} s",
                          seconds=took, output=(*proof.tests, *proof.status)))  # fmt: skip
    return watcher, proof


def judge_installed(job: Job, proof: Proof, firmware: str) -> None:
    """Raises ToolError where the installed system is not what was to be installed."""
    remote, url = job.tree.remote
    origin = f"{remote}:{job.tree.ref}" if remote else job.tree.ref
    if not any(line.endswith(f" {origin}") for line in proof.status):
        raise ToolError(f"The installed system does not follow {origin} ({firmware}).", lines=proof.status)
    remotes = [line.split() for line in proof.tests if line.startswith("remote ")]
    if remote and ["remote", remote, url] not in remotes:
        raise ToolError(f"The installed system has no remote {remote} at {url} ({firmware}).", lines=proof.tests)
    size = next((int(line.split()[1]) for line in proof.tests if re.fullmatch(r"size \d+", line)), 0)
    if size <= int(job.inputs["iso"].facts["virtual_size"]):
        raise ToolError(f"The root file system did not take the rest of the disk ({firmware}).", lines=proof.tests)


def _settle(trial: Trial) -> list[str]:
    """However it ended: the consoles in the output folder and in the stage's, under these names; all else is gone."""
    (trial.job.folder / "serial.log").write_bytes(trial.serial())
    found = [(trial.job.folder / "serial.log", f"serial-iso-{trial.firmware}.log"), *trial.pictures()]
    kept = [(source, name) for source, name in found if source.exists()]
    for source, name in kept:
        with whole(trial.job.order.output / name) as file:
            file.write(source.read_bytes())
        source.rename(trial.job.folder / name)
    for name in trial.names:
        shutil.rmtree(trial.job.folder / name)
    (trial.job.folder / TARGET).unlink(missing_ok=True)
    return [name for _, name in kept]


def deliver(order: Order, result: Result, firmware: str) -> list[Deliverable]:
    kinds = {".log": "serial-log", ".png": "screenshot"}
    facts = {"firmware": firmware, "medium": "disk.iso", "seconds": result.facts["seconds"]}
    return [delivered(order.output, result.folder / name, name, kind=kinds[Path(name).suffix], facts=facts)
            for name in result.facts["kept"]]  # fmt: skip


def _stage(firmware: str) -> Stage:
    return Stage(
        name=f"boot-iso-{firmware}", phase="test", needs=("rootfs", "commit", "iso"),
        gate=f"boot-iso-{firmware}", options=functools.partial(options, firmware=firmware),
        schema=takes("remote", "ref", memory=COUNT, live={"type": "boolean"}, start=TEXT),
        make=functools.partial(make, firmware=firmware), wanted=functools.partial(wanted, firmware=firmware),
        deliver=functools.partial(deliver, firmware=firmware),
    )  # fmt: skip


BIOS, UEFI = _stage("bios"), _stage("uefi")
