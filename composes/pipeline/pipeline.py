"""One compose from beginning to end: phase by phase, each stage made or reused, results handed out as they come."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chroots.engine.layers import base
from composes.pipeline import given, graph, parts
from composes.pipeline.delivery import consoles
from composes.pipeline.failures import Failures, os_failure
from composes.pipeline.gating import gates, verdicts
from composes.pipeline.gating.gates import GateFailed, Verdict
from composes.pipeline.given import Given
from composes.pipeline.graph import PHASES, Deliverable, Facts, Result, Stage
from composes.pipeline.job import Job, Log, Order
from composes.pipeline.parts import TREE, Part, Plan
from composes.pipeline.stages import (
    boot,
    boot_iso,
    commit,
    contents,
    disk,
    gather,
    outputs,
    qcow2,
    releases,
    rootfs,
    tree,
    upgrade,
)
from composes.pipeline.store import MOST_DAYS, ResultStore
from composes.pipeline.tools import Tools, chroot_spec, entered
from debatomic.tools.errors import Kind, ToolError
from debatomic.tools.files import write_json
from debatomic.tools.progress import Progress

STAGES: tuple[Stage, ...] = (
    releases.STAGE, gather.STAGE, tree.STAGE, rootfs.STAGE, commit.STAGE, contents.STAGE, disk.STAGE,
    qcow2.STAGE, *outputs.STAGES, boot.BIOS, boot.UEFI,
    boot_iso.BIOS, boot_iso.UEFI, upgrade.STAGE,
)  # fmt: skip
FORMAT = 1
EARLIER = ("result.json", "disk.*", "repo.tar", "serial-*.log", "console-*.png", "contents.json.gz",
           "objects.txt.gz", "SHA256SUMS*", given.ROOTFS, *outputs.FILES)  # fmt: skip


class Compose:
    """A run of `order`: `results` fill as stages end. What is kept for reuse takes at most `store_limit` bytes, and
    was used in the last `store_days`."""

    def __init__(
        self, order: Order, log: Log, progress: Progress, *, store_limit: int, store_days: float = MOST_DAYS
    ) -> None:
        self.order = order
        self.log = log
        self.progress = progress
        self.store = ResultStore(order.state)
        self.store_limit, self.store_days = store_limit, store_days
        self.results: dict[str, Result] = {}
        self.deliverables: list[Deliverable] = []
        self.seconds: dict[str, float] = {}
        self.verdicts: list[Verdict] = []
        self.facts: dict[str, Facts] = {}  # of gates that are stages, of those that said no too
        self.again: tuple[str, ...] = ()
        self.failures = Failures()
        self.plan = Plan(stages=(), places={}, parts=())
        self.part: Part | None = None  # the one that is made; None: all of them
        self.at_hand: dict[str, Given] = {}  # results of other hosts that need not be made
        self.shared: dict[str, str] = {}

    def run(
        self, only: Sequence[str] = (), skip: Sequence[str] = (), again: Sequence[str] = (), *, defer: bool = False,
        part: str = "", share: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """Do it, write `result.json` however it ends, and return what that says.

        The phases `again` are done even where their results are kept. A gate that blocks makes it a failure, unless
        that is deferred to whoever publishes. With `part` that part alone is made, of the results it is given;
        with `share` what other hosts need for the other parts is packed, too.
        """
        failure: ToolError | None = None
        started = time.monotonic()
        self.again = tuple(again)
        try:
            self._clear()
            self._run(self._planned(only, skip, part))
            self.verdicts = [each for each in verdicts.of(self) if self._says(each.name)]
            failure = None if defer else gates.blocked(self._binding())
            self.shared = given.share(self.results, self.order.output) if share else {}
        except ToolError as error:
            failure = error
        except OSError as error:
            failure = os_failure(error)
        except Exception:  # noqa: BLE001 - whatever it is, the result must say that it failed
            self.log.line(traceback.format_exc())
            failure = ToolError("The pipeline itself failed; this is a fault of DebAtomic.", kind=Kind.INTERNAL,
                                hint="The log ends with the details.")  # fmt: skip
        report = self._report(failure, time.monotonic() - started)
        self._write(report)
        return report

    def _planned(self, only: Sequence[str], skip: Sequence[str], part: str) -> Sequence[Stage]:
        """The stages of this run."""
        self.plan = parts.plan(self.order.tree, [each for each in STAGES if each.wanted(self.order)], only, skip)
        if not part:
            return self.plan.stages
        self.part = self.plan.named(part)
        self.at_hand = {name: each for name, each in self.order.given.items()
                        if each.archive or self.store.has(each.identity)}  # fmt: skip
        return self.plan.needed(self.part, self.at_hand)

    def _says(self, gate: str) -> bool:
        """Whether this run says the verdict of a gate."""
        return self.part is None or self.part.name == self.plan.speaker(gate)

    @property
    def _spared(self) -> list[Part]:
        """What this run does without; whoever asks for one part alone wants to know how it ends."""
        return [each for each in self.plan.parts if each.failable and not self.part]

    def _binding(self) -> list[Verdict]:
        spared = {gate for each in self._spared for gate in each.gates}
        return [each for each in self.verdicts if each.name not in spared]

    def _write(self, report: dict[str, Any]) -> None:
        try:
            write_json(self.order.output / "result.json", report)
        except OSError as error:  # a full disk: what went wrong is told on the console all the same
            self.log.line(f"result.json cannot be written: {error}")

    def _run(self, stages: Sequence[Stage]) -> None:
        if swept := self.store.sweep():
            self.log.line(f"Swept {swept} folders of interrupted composes.")
        with ExitStack() as stack:
            scratch = stack.enter_context(self.store.scratch())
            tools: Tools | None = None
            for phase in PHASES:
                if mine := [stage for stage in stages if stage.phase == phase]:
                    self._begin(phase)
                    tools = tools or self._enter_tools(stack, scratch)
                    for stage in mine:
                        self._try(stage, tools, scratch, stack)
        for name in self.store.evict(self.store_limit, self.store_days):
            self.log.line(f"Evicted {name}.")
        self.failures.check([name for each in self._spared for name in each.stages])

    def _clear(self) -> None:
        """Nothing of an earlier compose shall pass for one of this; its lock and repository may be this one's input."""
        for pattern in EARLIER:
            for path in self.order.output.glob(pattern):
                path.unlink()

    def _begin(self, phase: str) -> None:
        self.log.line(f"== PHASE {phase}")
        self.progress.phase(phase, number=PHASES.index(phase) + 1)

    def _enter_tools(self, stack: ExitStack, scratch: Path) -> Tools:
        started = time.monotonic()
        order = self.order
        self.progress.report(0.0, "tools chroot")
        spec = chroot_spec(order.tree.suite, order.tree.architecture, order.mirror, order.keyring,
                           check_valid_until=order.tree.check_valid_until)  # fmt: skip
        layer = base.ensure(spec, order.state, self.log)
        shared = [self.store.root, order.output, *([order.previous.disk.parent] if order.previous else [])]
        tools = stack.enter_context(entered(layer, work=scratch, shared=shared, log=self.log))
        self.seconds["tools"] = time.monotonic() - started
        return tools

    def _try(self, stage: Stage, tools: Tools, scratch: Path, stack: ExitStack) -> None:
        """A stage that fails takes those with it that need it; the others go on."""
        if failed := self.failures.missing(stage):
            self.log.line(f"-- {stage.name}: left out, for {failed} failed")
            return
        with self.failures.noting(stage):
            self.attempt(stage, tools, scratch, stack)
        if error := self.failures.errors.get(stage.name):
            self.log.line(f"-- {stage.name}: failed: {error.sentence}")

    def attempt(self, stage: Stage, tools: Tools, scratch: Path, stack: ExitStack) -> None:
        """A gate that says no is a verdict; whatever else fails is a failure."""
        started = time.monotonic()
        try:
            self._do(stage, tools, scratch, stack)
        except ToolError as error:
            if not stage.gate or not gates.says_no(error):
                raise
            name = error.gate if isinstance(error, GateFailed) and error.gate else stage.gate
            self.seconds[stage.name] = time.monotonic() - started
            self.facts[stage.name] = error.facts if isinstance(error, GateFailed) else {}
            self.deliverables += consoles(self.order.output, stage.gate)
            self.verdicts.append(gates.refused(name, self.order.tree.checks, error.sentence, self.seconds[stage.name],
                                               error.lines))  # fmt: skip
            self.log.line(f"-- {stage.name}: the gate {name} says no: {error.sentence}")

    def _do(self, stage: Stage, tools: Tools, scratch: Path, stack: ExitStack) -> None:
        inputs = {name: self.results[name] for name in stage.needs if name in self.results}
        digests = {name: result.digest for name, result in inputs.items()}
        known = self.at_hand.get(stage.name)
        identity = known.identity if known else graph.identity(stage, stage.options(self.order), digests,
                                                               tools.identity)  # fmt: skip
        started, used = time.monotonic(), _processor_seconds()

        def make(folder: Path) -> dict[str, Any]:
            self.log.line(f"-- {stage.name}")
            if known:
                return known.restore(folder)
            return stage.make(Job(order=self.order, folder=folder, inputs=inputs, tools=tools.working(folder),
                                  log=self.log, progress=self.progress,
                                  again=stage.phase in self.again))  # fmt: skip

        if stage.stored:
            folder, facts, reused = stack.enter_context(
                self.store.result(identity, make, again=stage.phase in self.again)
            )
        else:
            folder, reused = scratch / stage.name, False
            folder.mkdir()
            facts = make(folder)
        result = Result(stage=stage.name, phase=stage.phase, identity=identity, folder=folder, facts=facts,
                        seconds=round(time.monotonic() - started, 3), reused=reused)  # fmt: skip
        if stage.name in self.order.given:
            given.same(self.order.given[stage.name], result)
        if self.part is None or stage.name in self.part.stages:
            self.deliverables += stage.deliver(self.order, result)
        self.results[stage.name] = result
        if stage.gate:
            self.facts[stage.name] = facts
        self.seconds[stage.name] = time.monotonic() - started
        told = "reused" if reused else "made"
        used = _processor_seconds() - used
        took = f"{self.seconds[stage.name]:.1f} s, at least {used:.1f} of the processors"  # a jail does not tell all
        self.log.line(f"-- {stage.name}: {told} in {took}")

    def _container(self) -> dict[str, Any]:
        """What is known of the container: from its making, and what the rules said of it."""
        made = self.results["oci"].facts if "oci" in self.results else {}
        return {**{key: value for key, value in made.items() if key != "archive"}, **self.facts.get("container", {})}

    def _report(self, failure: ToolError | None, seconds: float) -> dict[str, Any]:
        order = self.order
        commit_facts = self.results["commit"].facts if "commit" in self.results else {}
        proofs = {name.removeprefix("boot-"): facts for name, facts in self.facts.items()
                  if name.startswith("boot-") and facts}  # fmt: skip
        rootfs_facts = self.results["rootfs"].facts if "rootfs" in self.results else {}
        return {
            "format": FORMAT, "ok": failure is None,
            "reason": failure.sentence if failure else "", "kind": failure.kind.value if failure else "",
            "decisive": list(failure.lines) if failure else [], "failures": self.failures.as_json(),
            "name": order.tree.name, "variant": order.tree.variant, "architecture": order.tree.architecture,
            "suite": order.tree.suite, "ref": order.tree.ref,
            "channels": list(order.tree.channels), "treefile_digest": order.tree.digest,
            "refs": dict(zip(order.tree.channels, order.tree.refs, strict=True)),
            **{key: commit_facts.get(key, "") for key in ("commit", "content_checksum", "version", "parent")},
            "lock_digest": self.results["gather"].digest if "gather" in self.results else "",
            "packages": self.results["gather"].facts["packages"] if "gather" in self.results else 0,
            "timings": {name: round(each, 3) for name, each in self.seconds.items()},
            "lint": rootfs_facts.get("lint", []) if self._says("lint") else [],
            "kernel": rootfs_facts.get("kernel", ""), "boot": proofs,
            "container": self._container(),
            "upgrade": self.facts.get("upgrade", {}), "gates": [asdict(each) for each in self.verdicts],
            "deliverables": [asdict(each) for each in self.deliverables], **self._fanned_out(),
            "stages": [{"name": each.stage, "phase": each.phase, "identity": each.identity, "reused": each.reused,
                        "seconds": round(self.seconds[each.stage], 3)} for each in self.results.values()],
            "seconds": round(seconds, 3),
        }  # fmt: skip

    def _fanned_out(self) -> dict[str, Any]:
        """What may be made elsewhere, which results that takes, and what is told and packed of those."""
        if self.part and self.part.name != TREE:
            return {}
        failed = {*self.failures.errors, *self.failures.left_out}
        return {
            "parts": [{"name": each.name, "failable": each.failable, "takes": self.plan.takes(each, given.UNPACKED)}
                      for each in self.plan.parts if each.name != TREE],
            "incomplete": [each.name for each in self._spared if failed & set(each.stages)],
            "given": given.told(self.results), "shared": self.shared,
        }  # fmt: skip


def _processor_seconds() -> float:
    """What this process and its ended children used so far."""
    return sum(os.times()[:4])
