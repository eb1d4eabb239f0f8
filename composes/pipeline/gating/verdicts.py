"""All verdicts of a run in one list: the lint, the container, each boot, the tests, the upgrade, the policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from composes.pipeline.gating import policies
from composes.pipeline.gating.gates import Verdict, passed, refused, skipped, switched_off
from composes.pipeline.gating.policies import Made

if TYPE_CHECKING:
    from composes.pipeline.pipeline import Compose


def of(compose: Compose) -> list[Verdict]:
    """The verdicts so far; a gate that is switched off has none."""
    said = {each.name: each for each in compose.verdicts}
    found = [*_lint(compose), *_container(compose, said), *_boots(compose, said), *_tests(compose, said),
             *_upgrade(compose, said)]  # fmt: skip
    made = Made(results=compose.results, facts=compose.facts, deliverables=compose.deliverables,
                output=compose.order.output)  # fmt: skip
    return [*found, *policies.judged(compose.order.tree.checks, made)]


def _lint(compose: Compose) -> Iterator[Verdict]:
    checks = compose.order.tree.checks
    if "rootfs" not in compose.results or switched_off("lint", checks):
        return
    findings: Sequence[Mapping[str, Any]] = compose.results["rootfs"].facts["lint"]
    fatal = [each for each in findings if each["fatal"]]
    if fatal:
        sentence = f"The tree is not bootc-compatible: {fatal[0]['rule']}: {fatal[0]['details'][0]}."
        yield refused("lint", checks, sentence, details=_lines(fatal))
    else:
        warnings = f", {len(findings)} warnings" if findings else ""
        yield passed("lint", checks, f"The tree follows bootc's rules{warnings}.")


def _lines(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"{each['rule']}: {detail}" for each in findings for detail in each["details"]]


def _container(compose: Compose, said: Mapping[str, Verdict]) -> Iterator[Verdict]:
    if "container" in said:
        yield said["container"]
    elif "container" in compose.facts:
        yield passed("container", compose.order.tree.checks, "Its layers hold the commit's content and follow bootc's "
                     "rules.", compose.seconds["container"])  # fmt: skip


def _boots(compose: Compose, said: Mapping[str, Verdict]) -> Iterator[Verdict]:
    firmware = compose.order.tree.image.firmware
    for name in (*(f"boot-{each}" for each in firmware), *(f"boot-iso-{each}" for each in firmware)):
        if name in said:
            yield said[name]
        elif facts := compose.facts.get(name):
            plain = (f"multi-user.target after {facts['seconds']:.0f} s, the system is {facts['state']}, "
                     f"{len(facts['failed'])} failed units.")  # fmt: skip
            sentence = facts.get("sentence", plain)
            yield passed(name, compose.order.tree.checks, sentence, compose.seconds[name])


def _tests(compose: Compose, said: Mapping[str, Verdict]) -> Iterator[Verdict]:
    tree = compose.order.tree
    if not tree.checks.tests or switched_off("tests", tree.checks):
        return
    boot = compose.facts.get(f"boot-{tree.image.firmware[0]}", {})
    if "tests" in said:
        yield said["tests"]
    elif runs := boot.get("tests"):
        yield passed("tests", tree.checks, f"All {len(runs)} tests passed.", sum(each["seconds"] for each in runs))
    else:
        yield skipped("tests", tree.checks, "The tests were not run: no system was booted.")


def _upgrade(compose: Compose, said: Mapping[str, Verdict]) -> Iterator[Verdict]:
    order = compose.order
    if switched_off("upgrade", order.tree.checks):
        return
    if "upgrade" in said:
        yield said["upgrade"]
    elif facts := compose.facts.get("upgrade"):
        sentence = (f"Upgraded from {facts['from']['version']}, rolled back and rebased, {len(facts['steps'])} boots; "
                    f"{facts['bytes'] / 1048576:.1f} MiB in {facts['files']} files were downloaded.")  # fmt: skip
        yield passed("upgrade", order.tree.checks, sentence, facts["seconds"])
    elif order.previous is None:
        yield skipped("upgrade", order.tree.checks, "There is no previous compose of this ref to upgrade from.")
    elif order.previous.ref != order.tree.ref:
        yield skipped("upgrade", order.tree.checks, f"The previous compose was for the ref {order.previous.ref}.")
    else:
        yield skipped("upgrade", order.tree.checks, "The upgrade was not tried in this run.")
